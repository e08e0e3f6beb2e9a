// SPDX-License-Identifier: MIT
// The naive laws; see rivals.h.
#include "policy/rivals.h"

#include <algorithm>
#include <cmath>

#include "policy/arith.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kAverageStepUs = 2'000'000;
constexpr double kAverageTimeUs = 10e6;
constexpr double kThreshold = 0.10;
constexpr double kShare = 0.25;
constexpr std::uint64_t kPeriodUs = 1'000'000;

void move_average(PolicyState& state, const Sample& sample) {
  if (!sample.psi_own) {
    state.rival_average = 0;
    state.rival_us = 0;
    return;
  }
  const std::uint64_t total = sample.psi_own->some_us_total;
  const bool is_new = state.rival_us == 0 || total < state.rival_stall_us_total;
  const std::uint64_t passed_us = minus(sample.t_us, state.rival_us);
  if (!is_new && passed_us < kAverageStepUs) return;
  if (!is_new) {
    const auto stalled = static_cast<double>(total - state.rival_stall_us_total);
    const double share = std::min(1.0, stalled / static_cast<double>(passed_us));
    const double kept = std::exp(-static_cast<double>(passed_us) / kAverageTimeUs);
    state.rival_average = state.rival_average * kept + share * (1 - kept);
  }
  state.rival_us = std::max<std::uint64_t>(sample.t_us, 1);
  state.rival_stall_us_total = total;
}

Decided begin(const PolicyState& state) {
  Decided result;
  result.state = state;
  result.decision.id = ++result.state.decisions;
  result.decision.wake_after_us = kPeriodUs;
  return result;
}

}  // namespace

Decided decide_nothing(const PolicyState& state, const Observation& /*observation*/,
                       const PolicyConfig& /*config*/) {
  return begin(state);
}

Decided decide_avg10(const PolicyState& state, const Observation& observation,
                     const PolicyConfig& config) {
  Decided result = begin(state);
  PolicyState& next = result.state;
  const std::uint64_t now_us = observation.sample.t_us;
  move_average(next, observation.sample);
  result.signal.psi_present = observation.sample.psi_own.has_value();
  result.signal.some_slow = next.rival_average;
  if (next.rival_average < kThreshold || !config.trim_allowed) return result;
  result.decision.level = Level::high;
  if (is_within(now_us, next.trim_asked_us, kPeriodUs)) return result;
  const PoolView* kv = find_pool(observation.pools, PoolKind::kv);
  if (kv == nullptr) return result;
  const std::uint64_t bytes = std::min({share_of(kv->live_bytes, kShare), kv->trimmable_bytes,
                                        minus(kv->live_bytes, config.kv_min_bytes)});
  if (bytes == 0) return result;
  result.decision.reason = Reason::need;
  result.decision.need_bytes = bytes;
  result.decision.actions.push_back(
      Action{result.decision.id, Verb::trim, PoolKind::kv, bytes, config.step_budget_us});
  next.trim_asked_us = std::max<std::uint64_t>(now_us, 1);
  return result;
}

}  // namespace kvpsi
