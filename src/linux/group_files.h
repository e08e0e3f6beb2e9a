// SPDX-License-Identifier: MIT
// Parsers of the memory controller's files in both cgroup versions. Pure; never allocates on
// success. Sources: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst.
// Next hop: group_memory.h reads the files.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace kvpsi {

/// memory.max, memory.high ("max" = none) or memory.limit_in_bytes (2^62 and more = none: v1
/// prints the largest page count). Empty: no limit. Errors: malformed.
Result<std::optional<std::uint64_t>> parse_limit(std::string_view text);

/// memory.current or memory.usage_in_bytes or memory.failcnt: one number. Errors: malformed.
Result<std::uint64_t> parse_counter(std::string_view text);

/// What memory.stat says; a line that the kernel does not print is empty.
struct GroupStat {
  std::optional<std::uint64_t> file_bytes;           ///< active_file + inactive_file
  std::optional<std::uint64_t> refault_pages_total;  ///< workingset_refault_anon + _file
};

/// v1: the total_ lines, which cover the group's descendants as v2's lines do. Before 5.9 one line
/// workingset_refault counts for both kinds. Errors: malformed where a line has no number.
Result<GroupStat> parse_group_stat(std::string_view text, bool is_v1);

/// What memory.events (or memory.events.local) says.
struct GroupEvents {
  std::optional<std::uint64_t> limit_hits_total;  ///< high + max
  std::optional<std::uint64_t> oom_kills_total;   ///< oom_kill, since 4.13
};

/// Errors: malformed where a line has no number.
Result<GroupEvents> parse_group_events(std::string_view text);

/// oom_kill of v1's memory.oom_control; empty before 4.13. Errors: malformed.
Result<std::optional<std::uint64_t>> parse_oom_control(std::string_view text);

}  // namespace kvpsi
