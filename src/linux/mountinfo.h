// SPDX-License-Identifier: MIT
// Parsers of /proc/<pid>/mountinfo and /proc/<pid>/cgroup. Pure.
// Next hops: cgroup.h puts the two together, spill_place.h asks what a directory lies on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// One mount.
struct Mount {
  std::string root;  ///< what of the file system the mount point shows
  std::string mount_point;
  std::string type;
  std::string source;         ///< a device, or any text
  std::string super_options;  ///< comma-separated, as the kernel shows them
};

/// All mounts, in order. Octal escapes (\040) in paths are decoded. Errors: malformed for a line
/// without the " - " separator or with too few fields.
Result<std::vector<Mount>> parse_mounts(std::string_view mountinfo);

/// The mount that shows an absolute path free of symbolic links; nullptr if none does.
const Mount* mount_of(const std::vector<Mount>& mounts, std::string_view path);

/// The text behind "KEY=" in comma-separated options; empty optional: not among them.
std::optional<std::string> mount_option(std::string_view options, std::string_view key);

/// One mounted cgroup hierarchy.
struct CgroupMount {
  bool is_v2 = false;
  bool has_memory = false;  ///< v1 only: the memory controller is attached here
  std::string root;  ///< the group that the mount point shows ("/" or, in containers, deeper)
  std::string mount_point;
};

/// All cgroup and cgroup2 mounts, in order. Errors as parse_mounts.
Result<std::vector<CgroupMount>> parse_cgroup_mounts(std::string_view mountinfo);

/// The groups of a process; empty optional: not in such a hierarchy.
struct ProcessGroups {
  std::optional<std::string> v2;         ///< of the line "0::/path"
  std::optional<std::string> v1_memory;  ///< of the line "N:...memory...:/path"
};

/// Errors: malformed for a line that is not "id:controllers:path" or whose path is not absolute.
Result<ProcessGroups> parse_process_groups(std::string_view text);

}  // namespace kvpsi
