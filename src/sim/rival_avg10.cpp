// SPDX-License-Identifier: MIT
// See rival_avg10.h.
#include "sim/rival_avg10.h"

#include <algorithm>
#include <cmath>

#include "policy/arith.h"
#include "sim/rival_common.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kAverageStepUs = 2'000'000;
constexpr double kAverageTimeUs = 10e6;
constexpr double kThreshold = 0.10;
constexpr double kShare = 0.25;
constexpr std::uint64_t kPeriodUs = 1'000'000;

}  // namespace

void Avg10Law::move_average(const Sample& sample) {
  if (!sample.psi_own) {
    average_ = 0;
    averaged_us_ = 0;
    return;
  }
  const std::uint64_t total = sample.psi_own->some_us_total;
  const bool is_new = averaged_us_ == 0 || total < stall_us_total_;
  const std::uint64_t passed_us = minus(sample.t_us, averaged_us_);
  if (!is_new && passed_us < kAverageStepUs) return;
  if (!is_new) {
    const auto stalled = static_cast<double>(total - stall_us_total_);
    const double share = std::min(1.0, stalled / static_cast<double>(passed_us));
    const double kept = std::exp(-static_cast<double>(passed_us) / kAverageTimeUs);
    average_ = average_ * kept + share * (1 - kept);
  }
  averaged_us_ = stamp(sample.t_us);
  stall_us_total_ = total;
}

Decided Avg10Law::operator()(const PolicyState& state, const Observation& observation,
                             const PolicyConfig& config) {
  Decided result = begin_rival(state, kPeriodUs);
  const std::uint64_t now_us = observation.sample.t_us;
  move_average(observation.sample);
  result.signal.psi_present = observation.sample.psi_own.has_value();
  result.signal.some_slow = average_;
  if (average_ < kThreshold || !config.trim_allowed) return result;
  result.decision.level = Level::high;
  if (is_within(now_us, asked_us_, kPeriodUs)) return result;
  const PoolView* kv = find_pool(observation.pools, PoolKind::kv);
  if (kv == nullptr) return result;
  const std::uint64_t bytes = std::min({share_of(kv->live_bytes, kShare), kv->trimmable_bytes,
                                        minus(kv->live_bytes, config.kv_min_bytes)});
  if (bytes == 0) return result;
  result.decision.reason = Reason::need;
  result.decision.need_bytes = bytes;
  result.decision.actions.push_back(
      Action{result.decision.id, Verb::trim, PoolKind::kv, bytes, config.step_budget_us});
  asked_us_ = stamp(now_us);
  return result;
}

}  // namespace kvpsi
