// SPDX-License-Identifier: MIT
// See cmd_simulate_progress.h.
#include "cli/cmd_simulate_progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/printable.h"

namespace kvpsi {
namespace {

/// Turns between two looks at the clock: some 100 us of work.
constexpr std::uint64_t kTurnsApart = 64;

}  // namespace

void SimulateProgress::begin_run(std::string what, double duration_s, EventSink* next) {
  what_ = std::move(what);
  duration_s_ = duration_s;
  next_ = next;
  turns_ = 0;
}

void SimulateProgress::end_run() {
  ++done_;
  show(0);
}

void SimulateProgress::on_tick(const Tick& tick) {
  if (next_ != nullptr) next_->on_tick(tick);
  const std::uint64_t now_us = tick.observation.sample.t_us;
  if (turns_ == 0) first_us_ = now_us;
  if (++turns_ % kTurnsApart != 0) return;
  show(static_cast<double>(now_us - first_us_) * 1e-6 / duration_s_);
}

void SimulateProgress::show(double share_of_run) {
  const std::uint64_t now_us = monotonic_us();
  if (!status_.due(now_us)) return;
  const double share =
      (static_cast<double>(done_) + std::min(share_of_run, 1.0)) / static_cast<double>(total_);
  status_.update(now_us, fmt::format("{} {} of {} runs, {}", progress_bar(share), done_, total_,
                                     printable(what_)));
}

}  // namespace kvpsi
