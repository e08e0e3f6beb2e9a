// SPDX-License-Identifier: MIT
// GroupMemory: the memory limits above us, read from the own group and all its ancestors, and the
// state of the tightest one. Keeps every file open; a reading allocates nothing. Must not judge
// what a limit means for us. Next hop: kernel_source.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "linux/cgroup.h"
#include "linux/kernel_file.h"

namespace kvpsi {

/// One reading. The tightest level is the one with the least limit - usage + file pages; without
/// any limit its fields are empty. The counters are sums over all levels, so that they do not jump
/// when another level becomes the tightest.
struct GroupReading {
  std::optional<std::uint64_t> limit_bytes;
  std::optional<std::uint64_t> usage_bytes;
  std::optional<std::uint64_t> file_bytes;
  std::optional<std::uint64_t> refault_pages_total;
  /// Least over all levels: v2 memory.swap.max - current; v1 what memsw leaves beside the limit.
  std::optional<std::uint64_t> swap_free_bytes;
  /// v2: high + max of memory.events.local (before 5.2 memory.events of the own group alone: an
  /// ancestor's also counts siblings that hit limits of their own); v1: failcnt.
  std::optional<std::uint64_t> limit_hits_total;
  /// v2: of the highest group seen, descendants included; v1: kills in our group and ancestors.
  std::optional<std::uint64_t> oom_kills_total;
  bool is_lost = false;  ///< a group was removed: find the own group again
};

/// Open limit files of a group and its ancestors. Movable; not thread-safe.
class GroupMemory {
 public:
  GroupMemory() = default;

  /// Opens what is there: v1's memory hierarchy where there is one, else v2. Without either, or
  /// where nothing may be read, all readings are empty.
  explicit GroupMemory(const CgroupLocation& location);

  /// Reads all levels. Files that cannot be read or parsed leave their fields empty.
  GroupReading read(std::span<char> buffer) const;

  /// The directory of the tightest level at the last reading; empty for none.
  const std::string& tightest_dir() const;

  bool has_levels() const { return !levels_.empty(); }

 private:
  struct Level {
    std::string dir;
    KernelFile max;   ///< memory.max or memory.limit_in_bytes
    KernelFile high;  ///< v2 only
    KernelFile usage;
    KernelFile stat;
    KernelFile swap_max;    ///< memory.swap.max or memory.memsw.limit_in_bytes
    KernelFile swap_usage;  ///< memory.swap.current or memory.memsw.usage_in_bytes
    KernelFile hits;        ///< memory.events.local or memory.failcnt
    KernelFile events;      ///< memory.events or memory.oom_control
  };
  void add_v1(const std::string& dir);
  void add_v2(const std::string& dir);
  void read_limits(std::span<char> buffer, GroupReading& reading) const;
  /// Takes the least; `limit` and `usage` are of the same level.
  void read_swap(const Level& level, std::span<char> buffer, std::uint64_t limit,
                 std::uint64_t usage, GroupReading& reading) const;
  void add_counters(const Level& level, std::span<char> buffer, GroupReading& reading) const;

  std::vector<Level> levels_;
  bool is_v1_ = false;
  mutable std::size_t tightest_ = SIZE_MAX;
};

}  // namespace kvpsi
