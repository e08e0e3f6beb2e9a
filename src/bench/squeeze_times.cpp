// SPDX-License-Identifier: MIT
// See squeeze_times.h.
#include "bench/squeeze_times.h"

#include <algorithm>

namespace kvpsi {
namespace {

double seconds(std::uint64_t from_us, std::uint64_t to_us) {
  return to_us > from_us ? static_cast<double>(to_us - from_us) / 1e6 : 0;
}

bool is_lossy_or_costly(Verb verb) {
  return verb == Verb::spill || verb == Verb::compact || verb == Verb::trim;
}

bool has_full_size(const Tick& tick) {
  return tick.decision.level == Level::calm && !tick.decision.kv_budget_bytes;
}

/// One pass over the ticks.
class Reading {
 public:
  Reading(std::uint64_t onset_us, std::uint64_t relief_us)
      : onset_us_(onset_us), relief_us_(relief_us) {}

  void add(const Tick& tick) {
    const std::uint64_t t_us = tick.observation.sample.t_us;
    // What an action gave arrives with a later turn, so outcomes go by their own time.
    for (const Outcome& outcome : tick.observation.outcomes) add(outcome);
    if (t_us <= onset_us_) {
      times_.calm_at_onset = has_full_size(tick);
    } else if (t_us <= relief_us_) {
      press(tick, t_us);
    } else {
      follow(tick, t_us);
    }
    add_stall(tick.observation.sample, t_us);
  }

  SqueezeTimes finish() {
    times_.own_stall_s = seconds(stall_at_onset_us_, std::max(stall_at_onset_us_, stall_us_));
    return times_;
  }

 private:
  void add(const Outcome& outcome) {
    if (outcome.t_us <= onset_us_ || outcome.status == Status::queued) return;
    if (outcome.t_us > relief_us_) {
      times_.tokens_trimmed_after += outcome.tokens_trimmed;
      const bool did = outcome.status == Status::done || outcome.status == Status::more;
      if (did && is_lossy_or_costly(outcome.verb) && outcome.decision_id != capped_id_) {
        times_.last_action_s = std::max(times_.last_action_s, seconds(relief_us_, outcome.t_us));
      }
      return;
    }
    times_.bytes_returned += outcome.bytes_released;
    times_.tokens_trimmed += outcome.tokens_trimmed;
  }

  void note_first(const Tick& tick, std::uint64_t t_us) {
    if (!times_.first_stall_s && tick.signal.stall_us_new > 0) {
      times_.first_stall_s = seconds(onset_us_, t_us);
    }
    if (!times_.first_action_s && answers_pressure(tick.decision)) {
      times_.first_action_s = seconds(onset_us_, t_us);
    }
  }

  void press(const Tick& tick, std::uint64_t t_us) {
    note_first(tick, t_us);
    times_.highest_level = std::max(times_.highest_level, tick.decision.level);
    note_cap(tick.decision);
  }

  void follow(const Tick& tick, std::uint64_t t_us) {
    times_.followed_s = seconds(relief_us_, t_us);
    note_cap(tick.decision);
    const bool asks = std::ranges::any_of(
        tick.decision.actions, [](const Action& a) { return is_lossy_or_costly(a.verb); });
    if (asks && answers_pressure(tick.decision)) times_.last_action_s = times_.followed_s;
    if (!has_full_size(tick)) {
      times_.relapsed = times_.relapsed || times_.full_size_s.has_value();
      times_.full_size_s.reset();
    } else if (!times_.full_size_s) {
      times_.full_size_s = times_.followed_s;
    }
  }

  /// Trimming for the cap or because somebody asked is no answer to pressure.
  void note_cap(const Decision& decision) {
    if (decision.reason == Reason::cap || decision.reason == Reason::asked) {
      capped_id_ = decision.id;
    }
  }

  /// From the last total before the onset to the last one before the relief: the interval that the
  /// relief lies in belongs to the aftermath.
  void add_stall(const Sample& sample, std::uint64_t t_us) {
    if (!sample.psi_own || t_us > relief_us_) return;
    stall_us_ = sample.psi_own->some_us_total;
    if (t_us <= onset_us_ || !has_stall_) stall_at_onset_us_ = stall_us_;
    has_stall_ = true;
  }

  const std::uint64_t onset_us_;
  const std::uint64_t relief_us_;
  SqueezeTimes times_;
  std::uint64_t capped_id_ = 0;
  std::uint64_t stall_at_onset_us_ = 0;
  std::uint64_t stall_us_ = 0;
  bool has_stall_ = false;
};

}  // namespace

SqueezeTimes find_times(std::span<const Tick> ticks, std::uint64_t onset_us,
                        std::uint64_t relief_us) {
  Reading reading(onset_us, relief_us);
  for (const Tick& tick : ticks) reading.add(tick);
  return reading.finish();
}

std::uint64_t last_live_tokens(std::span<const Tick> ticks) {
  if (ticks.empty()) return 0;
  const PoolView* kv = find_pool(ticks.back().observation.pools, PoolKind::kv);
  return kv == nullptr ? 0 : kv->cells_live;
}

}  // namespace kvpsi
