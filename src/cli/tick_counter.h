// SPDX-License-Identifier: MIT
// What a governor did, counted on the way to the journal. Next hop: governor_thread.h.
#pragma once

#include <cstdint>
#include <string>

#include "govern/ports.h"
#include "model/decision.h"

namespace kvpsi {

/// Counts ticks and passes them on. Governor thread; read the counts after that thread has ended.
class TickCounter : public EventSink {
 public:
  /// `next` may be null.
  explicit TickCounter(EventSink* next) : next_(next) {}
  void on_tick(const Tick& tick) override;

  std::uint64_t ticks() const { return ticks_; }
  Level level_max() const { return level_max_; }
  /// Time of the first sample in which a stall counter had moved; 0 = never.
  std::uint64_t first_stall_us() const { return first_stall_us_; }

 private:
  EventSink* next_;
  std::uint64_t ticks_ = 0;
  Level level_max_ = Level::calm;
  std::uint64_t first_stall_us_ = 0;
};

struct GovernorRecord {
  bool enabled = false;
  bool dry_run = false;
  std::string source;  ///< empty without a governor thread
  std::uint64_t ticks = 0;
  Level level_max = Level::calm;
  std::uint64_t first_stall_us = 0;
  std::uint64_t cpu_us = 0;  ///< CPU time of the governor's thread
};

}  // namespace kvpsi
