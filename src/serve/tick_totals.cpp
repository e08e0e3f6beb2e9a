// SPDX-License-Identifier: MIT
// See tick_totals.h.
#include "serve/tick_totals.h"

namespace kvpsi {

void TickTotals::add(const Tick& tick, const Tick* before) {
  const std::uint64_t now_us = tick.observation.sample.t_us;
  if (turns == 0) first_us = now_us;
  ++turns;
  cost_us += tick.cost_us;
  if (before != nullptr && now_us > before->observation.sample.t_us) {
    level_us[static_cast<std::size_t>(before->decision.level)] +=
        now_us - before->observation.sample.t_us;
  }
  for (const Outcome& outcome : tick.observation.outcomes) {
    if (outcome.status == Status::queued) continue;
    const auto verb = static_cast<std::size_t>(outcome.verb);
    ++actions[verb];
    bytes_released[verb] += outcome.bytes_released;
    if (outcome.status == Status::failed) ++failures;
    bytes_spilled += outcome.bytes_spilled;
    bytes_restored += outcome.bytes_restored;
    tokens_trimmed += outcome.tokens_trimmed;
    tokens_restored += outcome.tokens_restored;
    tokens_lost += outcome.tokens_lost;
  }
}

void TotalsSink::on_tick(const Tick& tick) {
  totals_.add(tick, totals_.turns == 0 ? nullptr : &before_);
  before_ = tick;
  if (published_mutex_.try_lock()) {
    published_ = totals_;
    published_mutex_.unlock();
  }
  if (next_ != nullptr) next_->on_tick(tick);
}

TickTotals TotalsSink::get() const {
  const std::lock_guard lock(published_mutex_);
  return published_;
}

}  // namespace kvpsi
