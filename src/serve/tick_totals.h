// SPDX-License-Identifier: MIT
// What a governor has done since its start, summed over its turns: the counters of /kvpsi/metrics
// and /kvpsi/state. Must not look at the engine. Next hops: metrics.h, state.h.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include "govern/ports.h"
#include "model/tick.h"

namespace kvpsi {

/// Sums over turns. Plain numbers, copied as a whole.
struct TickTotals {
  static constexpr std::size_t kLevels = 4;
  static constexpr std::size_t kVerbs = 5;

  std::uint64_t turns = 0;
  std::uint64_t first_us = 0;                          ///< of the first turn, monotonic
  std::uint64_t cost_us = 0;                           ///< CPU time of the turns
  std::array<std::uint64_t, kLevels> level_us{};       ///< time at each level, by Level
  std::array<std::uint64_t, kVerbs> actions{};         ///< that have ended, by Verb
  std::array<std::uint64_t, kVerbs> bytes_released{};  ///< measured, by Verb
  std::uint64_t failures = 0;  ///< actions that the kernel or engine refused
  std::uint64_t bytes_spilled = 0;
  std::uint64_t bytes_restored = 0;
  std::uint64_t tokens_trimmed = 0;
  std::uint64_t tokens_restored = 0;
  std::uint64_t tokens_lost = 0;

  /// Adds a turn; `before` is the one before it, if there was one: its level held until now.
  void add(const Tick& tick, const Tick* before);

  bool operator==(const TickTotals&) const = default;
};

/// Sums on the way to the next sink. Allocates nothing; on_tick() on the governor's thread, get()
/// on any. A reader never holds the governor up: it may see the sums of one turn ago.
class TotalsSink : public EventSink {
 public:
  /// `next` may be null.
  explicit TotalsSink(EventSink* next) : next_(next) {}

  void on_tick(const Tick& tick) override;
  TickTotals get() const;

 private:
  EventSink* next_;
  TickTotals totals_;
  Tick before_;
  mutable std::mutex published_mutex_;
  TickTotals published_;
};

}  // namespace kvpsi
