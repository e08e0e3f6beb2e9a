// SPDX-License-Identifier: MIT
// See tick_counter.h.
#include "cli/tick_counter.h"

#include <algorithm>

namespace kvpsi {

void TickCounter::on_tick(const Tick& tick) {
  ++ticks_;
  level_max_ = std::max(level_max_, tick.decision.level);
  if (first_stall_us_ == 0 && tick.signal.stall_us_new > 0) {
    first_stall_us_ = tick.observation.sample.t_us;
  }
  if (next_ != nullptr) next_->on_tick(tick);
}

}  // namespace kvpsi
