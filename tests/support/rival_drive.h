// SPDX-License-Identifier: MIT
// Drives a rival law by hand: one limited group, one KV cache that obeys at once, and stall at a
// stated rate, so that a table test can say "10 MiB free" and look at what is asked for.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "policy/decide.h"

namespace kvpsi::test {

template <class RivalLaw>
class RivalDrive {
 public:
  PolicyConfig config;
  PolicyState state;
  RivalLaw law;
  double stall = 0;  ///< share of time
  std::uint64_t free_bytes = 500 * kMiB;
  std::uint64_t limit_bytes = 1024 * kMiB;
  PoolView kv{.kind = PoolKind::kv,
              .reserved_bytes = 200 * kMiB,
              .live_bytes = 100 * kMiB,
              .resident_bytes = 100 * kMiB,
              .trimmable_bytes = 90 * kMiB,
              .granule_bytes = 256 * kKiB};
  bool psi_present = true;
  bool paused = false;
  bool obeys = true;  ///< trims end within the turn; else they stay queued
  Decision last;

  RivalDrive() { config.trim_allowed = true; }

  const Decision& tick(std::uint64_t dt_us = 1'000'000) {
    now_us_ += dt_us;
    some_us_ += static_cast<std::uint64_t>(stall * static_cast<double>(dt_us));
    Observation observation;
    observation.paused = paused;
    observation.outcomes = outcomes_;
    outcomes_.clear();
    Sample& sample = observation.sample;
    sample.t_us = now_us_;
    if (psi_present) sample.psi_own = PsiTotals{some_us_, some_us_};
    sample.group_limit_bytes = limit_bytes;
    sample.group_usage_bytes = limit_bytes - free_bytes;
    sample.group_file_bytes = 0;
    observation.pools.push_back(kv);
    const Decided decided = law(state, observation, config);
    state = decided.state;
    last = decided.decision;
    for (const Action& action : last.actions) obey(action);
    return last;
  }

  void run(double seconds) {
    for (double t = 0; t < seconds - 0.5; ++t) tick();
  }

  /// The trim that was asked for in the last turn; 0 = none.
  std::uint64_t trimmed() const {
    for (const Action& action : last.actions) {
      if (action.verb == Verb::trim) return action.bytes;
    }
    return 0;
  }
  bool released() const {
    for (const Action& action : last.actions) {
      if (action.verb == Verb::release && action.pool == PoolKind::kv) return true;
    }
    return false;
  }

 private:
  void obey(const Action& action) {
    const Status status = action.verb == Verb::trim && !obeys ? Status::queued : Status::done;
    outcomes_.push_back(
        Outcome{.decision_id = action.decision_id, .verb = action.verb, .status = status});
    if (action.verb != Verb::trim || !obeys) return;
    kv.live_bytes -= action.bytes;
    kv.resident_bytes = kv.live_bytes;
    kv.trimmable_bytes -= action.bytes;
    free_bytes += action.bytes;
  }

  std::uint64_t now_us_ = 50'000'000;
  std::uint64_t some_us_ = 0;
  Outcomes outcomes_;
};

}  // namespace kvpsi::test
