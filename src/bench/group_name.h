// SPDX-License-Identifier: MIT
// Inner helpers of group_home and group_sweep: names of groups and the way upwards. Not for others.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/cgroup_ops.h"

namespace kvpsi {

inline constexpr std::string_view kGroupPrefix = "kvpsi-bench-";

/// What a group's name says about its owner.
struct GroupOwner {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< field 22 of /proc/PID/stat
  std::uint64_t pid_namespace = 0;
};

/// Reads a name; empty for a name that is not ours. A suffix after the three numbers is allowed.
std::optional<GroupOwner> parse_group_name(std::string_view name);

/// Start time of a process in clock ticks since boot; empty if there is none.
std::optional<std::uint64_t> read_start_ticks(const std::string& proc, const std::string& pid);

/// `dir` and the groups above it, as long as they are groups.
std::vector<std::string> groups_upwards(CgroupOps& ops, const std::string& dir);

}  // namespace kvpsi
