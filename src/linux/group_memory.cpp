// SPDX-License-Identifier: MIT
// See group_memory.h.
#include "linux/group_memory.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include "linux/group_files.h"

namespace kvpsi {
namespace {

/// The parsed content, or nothing; notes in `is_lost` that the group behind the file is gone.
template <class Parse>
auto read_parsed(const KernelFile& file, std::span<char> buffer, bool& is_lost, Parse&& parse)
    -> std::optional<typename decltype(parse(std::string_view()))::value_type> {
  if (!file.is_open()) return std::nullopt;
  const ReadText got = file.read(buffer);
  if (!got.ok()) {
    is_lost |= got.errno_value == ENODEV || got.errno_value == ENOENT;
    return std::nullopt;
  }
  auto parsed = parse(got.text);
  if (!parsed) return std::nullopt;
  return *parsed;
}

void add(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& value) {
  if (value) sum = sum.value_or(0) + *value;
}

std::int64_t headroom(std::uint64_t limit, std::uint64_t usage, std::uint64_t file) {
  return static_cast<std::int64_t>(limit) - static_cast<std::int64_t>(usage) +
         static_cast<std::int64_t>(file);
}

}  // namespace

GroupMemory::GroupMemory(const CgroupLocation& location) {
  is_v1_ = !location.v1_memory_dir.empty();
  const auto dirs = is_v1_ ? list_ancestors(location.v1_memory_dir, location.v1_memory_mount)
                           : list_ancestors(location.v2_dir, location.v2_mount);
  for (const std::string& dir : dirs) {
    if (is_v1_) {
      add_v1(dir);
    } else {
      add_v2(dir);
    }
  }
}

void GroupMemory::add_v1(const std::string& dir) {
  Level level;
  level.dir = dir;
  level.max = KernelFile(dir + "/memory.limit_in_bytes");
  if (!level.max.is_open()) return;
  level.usage = KernelFile(dir + "/memory.usage_in_bytes");
  level.stat = KernelFile(dir + "/memory.stat");
  level.swap_max = KernelFile(dir + "/memory.memsw.limit_in_bytes");
  level.swap_usage = KernelFile(dir + "/memory.memsw.usage_in_bytes");
  level.hits = KernelFile(dir + "/memory.failcnt");
  level.events = KernelFile(dir + "/memory.oom_control");
  levels_.push_back(std::move(level));
}

void GroupMemory::add_v2(const std::string& dir) {
  Level level;
  level.dir = dir;
  level.max = KernelFile(dir + "/memory.max");
  if (!level.max.is_open()) return;  // the root, or the controller is not enabled here
  level.high = KernelFile(dir + "/memory.high");
  level.usage = KernelFile(dir + "/memory.current");
  level.stat = KernelFile(dir + "/memory.stat");
  // The hierarchical memory.events of an ancestor also counts a sibling that hits its own limit.
  level.hits = KernelFile(dir + "/memory.events.local");
  level.events = KernelFile(dir + "/memory.events");
  const bool is_own = levels_.empty();
  if (is_own && !level.hits.is_open()) level.hits = KernelFile(dir + "/memory.events");
  level.swap_max = KernelFile(dir + "/memory.swap.max");
  level.swap_usage = KernelFile(dir + "/memory.swap.current");
  levels_.push_back(std::move(level));
}

void GroupMemory::read_limits(std::span<char> buffer, GroupReading& reading) const {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  tightest_ = SIZE_MAX;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    const Level& level = levels_[i];
    const auto max = read_parsed(level.max, buffer, reading.is_lost, parse_limit);
    const auto high = read_parsed(level.high, buffer, reading.is_lost, parse_limit);
    std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
    if (max && *max) limit = **max;
    if (high && *high) limit = std::min(limit, **high);
    const auto usage = read_parsed(level.usage, buffer, reading.is_lost, parse_counter);
    read_swap(level, buffer, limit, usage.value_or(0), reading);
    if (limit == std::numeric_limits<std::uint64_t>::max()) continue;
    const auto stat = read_parsed(level.stat, buffer, reading.is_lost,
                                  [this](auto text) { return parse_group_stat(text, is_v1_); });
    const auto file = stat ? stat->file_bytes : std::nullopt;
    const std::int64_t room = headroom(limit, usage.value_or(0), file.value_or(0));
    if (tightest_ != SIZE_MAX && room >= least) continue;
    tightest_ = i;
    least = room;
    reading.limit_bytes = limit;
    reading.usage_bytes = usage;
    reading.file_bytes = file;
    reading.refault_pages_total = stat ? stat->refault_pages_total : std::nullopt;
  }
}

void GroupMemory::read_swap(const Level& level, std::span<char> buffer, std::uint64_t limit,
                            std::uint64_t usage, GroupReading& reading) const {
  const auto max = read_parsed(level.swap_max, buffer, reading.is_lost, parse_limit);
  const auto used = read_parsed(level.swap_usage, buffer, reading.is_lost, parse_counter);
  if (!max || !*max || !used) return;
  // v1 counts memory and swap together: swap is what may be used beside a full memory limit.
  const std::uint64_t beside = is_v1_ ? limit : 0;
  const std::uint64_t swapped = is_v1_ ? *used - std::min(*used, usage) : *used;
  const std::uint64_t most = **max - std::min(**max, beside);
  const std::uint64_t left = most - std::min(most, swapped);
  reading.swap_free_bytes = std::min(reading.swap_free_bytes.value_or(left), left);
}

void GroupMemory::add_counters(const Level& level, std::span<char> buffer,
                               GroupReading& reading) const {
  if (is_v1_) {
    add(reading.limit_hits_total, read_parsed(level.hits, buffer, reading.is_lost, parse_counter));
    const auto kills = read_parsed(level.events, buffer, reading.is_lost, parse_oom_control);
    add(reading.oom_kills_total, kills.value_or(std::nullopt));
    return;
  }
  const auto local = read_parsed(level.hits, buffer, reading.is_lost, parse_group_events);
  add(reading.limit_hits_total, local ? local->limit_hits_total : std::nullopt);
  const auto events = read_parsed(level.events, buffer, reading.is_lost, parse_group_events);
  // Ancestors come later and include their descendants: the last one read is the sum.
  if (events && events->oom_kills_total) reading.oom_kills_total = events->oom_kills_total;
}

GroupReading GroupMemory::read(std::span<char> buffer) const {
  GroupReading reading;
  read_limits(buffer, reading);
  for (const Level& level : levels_) add_counters(level, buffer, reading);
  return reading;
}

const std::string& GroupMemory::tightest_dir() const {
  static const std::string kNone;
  return tightest_ < levels_.size() ? levels_[tightest_].dir : kNone;
}

}  // namespace kvpsi
