// SPDX-License-Identifier: MIT
// Which disks a device number stands for, as sysfs tells it: partitions lead to their disk,
// device-mapper and RAID to what they are made of. Must not open devices. Next hop: spill_place.h.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace kvpsi {

/// Names of the disks ("sda", "mmcblk0") at the bottom of a block device; empty where `sys` does
/// not know it, as for file systems without a device of their own.
std::vector<std::string> disks_below(const std::string& sys, dev_t device);

}  // namespace kvpsi
