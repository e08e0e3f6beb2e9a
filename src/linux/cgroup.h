// SPDX-License-Identifier: MIT
// Where a process's memory limits and pressure files are: cgroup v2, v1, both (hybrid: limits in a
// v1 memory hierarchy, pressure files in v2) or none. Mount points come from mountinfo, never from
// habit. Next hop: group_memory.h reads limits, psi_input.h pressure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// Where procfs and sysfs' cgroup tree are; tests point both at a fixture. Mount points of
/// mountinfo below /sys/fs/cgroup are looked for below `sys`.
struct CgroupRoots {
  std::string proc = "/proc";
  std::string sys = "/sys/fs/cgroup";
};

enum class CgroupKind : std::uint8_t { none, v1, v2, hybrid };

constexpr std::string_view name(CgroupKind kind) {
  switch (kind) {
    case CgroupKind::none:
      return "none";
    case CgroupKind::v1:
      return "v1";
    case CgroupKind::v2:
      return "v2";
    case CgroupKind::hybrid:
      return "hybrid";
  }
  return "unknown";
}

/// The groups of one process as directories; an empty string where there is none to see.
struct CgroupLocation {
  CgroupKind kind = CgroupKind::none;
  std::string v2_dir;
  std::string v2_mount;
  /// The v2 group is the root of the machine's hierarchy: its pressure is the system's, not ours.
  bool v2_is_root = false;
  std::string v1_memory_dir;
  std::string v1_memory_mount;
};

/// Finds the groups of `pid` (0 = ourselves). A process whose group lies outside what the mounts
/// show (another namespace) has none there. Errors: not_found or permission (no such process),
/// malformed.
Result<CgroupLocation> find_cgroup(const CgroupRoots& roots, int pid = 0);

/// `dir` and its ancestors up to and including `mount`, nearest first; at most 32. Empty for an
/// empty dir.
std::vector<std::string> list_ancestors(const std::string& dir, const std::string& mount);

/// True for a v2 group that is not the root of the hierarchy (it has cgroup.events; so does the
/// seeming root of a container's namespace).
bool is_non_root_group(const std::string& v2_dir);

}  // namespace kvpsi
