// SPDX-License-Identifier: MIT
// MachineFiles: the sample's facts about the machine and about ourselves, from four procfs files
// kept open. Pressure and limits are read elsewhere. Next hop: meminfo.h, vmstat.h, self_stat.h.
#pragma once

#include <span>
#include <string>

#include "linux/kernel_file.h"
#include "model/sample.h"

namespace kvpsi {

/// Where the four files are.
struct MachinePaths {
  std::string meminfo;
  std::string vmstat;
  std::string self_status;
  std::string self_stat;
};

/// Movable; not thread-safe. A missing file leaves its fields empty (own memory: 0).
class MachineFiles {
 public:
  MachineFiles() = default;
  explicit MachineFiles(const MachinePaths& paths);

  /// Fills the fields of the sample; allocates nothing.
  void read(std::span<char> buffer, Sample& sample) const;

 private:
  KernelFile meminfo_;
  KernelFile vmstat_;
  KernelFile self_status_;
  KernelFile self_stat_;
};

}  // namespace kvpsi
