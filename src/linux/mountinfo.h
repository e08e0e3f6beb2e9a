// SPDX-License-Identifier: MIT
// Parsers of /proc/<pid>/mountinfo (the cgroup mounts in it) and /proc/<pid>/cgroup. Pure.
// Next hop: cgroup.h puts the two together.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// One mounted cgroup hierarchy.
struct CgroupMount {
  bool is_v2 = false;
  bool has_memory = false;  ///< v1 only: the memory controller is attached here
  std::string root;  ///< the group that the mount point shows ("/" or, in containers, deeper)
  std::string mount_point;
};

/// All cgroup and cgroup2 mounts, in order; other lines are skipped. Octal escapes (\040) in paths
/// are decoded. Errors: malformed for a line without the " - " separator or with too few fields.
Result<std::vector<CgroupMount>> parse_cgroup_mounts(std::string_view mountinfo);

/// The groups of a process; empty optional: not in such a hierarchy.
struct ProcessGroups {
  std::optional<std::string> v2;         ///< of the line "0::/path"
  std::optional<std::string> v1_memory;  ///< of the line "N:...memory...:/path"
};

/// Errors: malformed for a line that is not "id:controllers:path" or whose path is not absolute.
Result<ProcessGroups> parse_process_groups(std::string_view text);

}  // namespace kvpsi
