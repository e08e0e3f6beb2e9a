// SPDX-License-Identifier: MIT
// How far `kvpsi simulate` is, on stderr: over all runs, and within the one that goes on. Must not
// influence a run. Next hop: cli/console.h.
#pragma once

#include <cstdint>
#include <string>

#include "cli/console.h"
#include "govern/ports.h"

namespace kvpsi {

/// Listens to the turns of one run after the other and passes them on.
class SimulateProgress final : public EventSink {
 public:
  /// `quiet`: show nothing.
  SimulateProgress(bool quiet, std::uint64_t total_runs) : status_(quiet), total_(total_runs) {}

  /// A run of this length begins. `next` hears its turns as well; nullptr: nobody.
  void begin_run(std::string what, double duration_s, EventSink* next);
  void end_run();
  void on_tick(const Tick& tick) override;

 private:
  void show(double share_of_run);

  StatusLine status_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  std::uint64_t turns_ = 0;
  std::uint64_t first_us_ = 0;
  double duration_s_ = 1;
  std::string what_;
  EventSink* next_ = nullptr;
};

}  // namespace kvpsi
