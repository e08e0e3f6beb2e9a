// SPDX-License-Identifier: MIT
// A walk over /sys/dev/block; see block_device.h and Documentation/ABI/testing/sysfs-block.
#include "linux/block_device.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace kvpsi {
namespace {

namespace fs = std::filesystem;

/// Stacks of devices are two or three high; sysfs has no cycles, a fixture may.
constexpr int kMostLevels = 8;

void add_disks(const fs::path& link, int level, std::vector<std::string>& names) {
  std::error_code error;
  fs::path device = fs::canonical(link, error);
  if (error || level == kMostLevels) return;
  if (fs::exists(device / "partition", error)) device = device.parent_path();
  bool has_slaves = false;
  for (fs::directory_iterator entry(device / "slaves", error), end; !error && entry != end;
       entry.increment(error)) {
    has_slaves = true;
    add_disks(entry->path(), level + 1, names);
  }
  const std::string name = device.filename().string();
  if (!has_slaves && std::ranges::find(names, name) == names.end()) names.push_back(name);
}

}  // namespace

std::vector<std::string> disks_below(const std::string& sys, dev_t device) {
  std::vector<std::string> names;
  const std::string number =
      std::to_string(gnu_dev_major(device)) + ":" + std::to_string(gnu_dev_minor(device));
  add_disks(fs::path(sys) / "dev/block" / number, 0, names);
  return names;
}

}  // namespace kvpsi
