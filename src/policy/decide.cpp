// SPDX-License-Identifier: MIT
// The order of the law's parts; see decide.h.
#include "policy/decide.h"

#include <algorithm>

#include "policy/arith.h"
#include "policy/effort.h"
#include "policy/fuse.h"
#include "policy/grow.h"
#include "policy/ladder.h"
#include "policy/levels.h"
#include "policy/need.h"
#include "policy/share.h"
#include "policy/soft_max.h"
#include "policy/steps.h"

namespace kvpsi {
namespace {

/// What the pools may take before the law can look again.
std::uint64_t find_surge_bytes(const PoolViews& pools) {
  Wide sum = 0;
  for (const PoolView& view : pools) sum += view.surge_bytes;
  return static_cast<std::uint64_t>(saturate(sum));
}

/// Often while something happens, seldom at rest, never less often than the calm heartbeat.
std::uint64_t choose_wake(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                          const PolicyConfig& config) {
  const bool armed = is_within(now_us, state.last_sign_us, config.armed_for_us) ||
                     is_running(state.spill) || is_running(state.restore) ||
                     surge_missing_bytes(signal) > 0 ||
                     signal.time_to_empty_s < 2 * config.high_time_to_empty_s;
  if (armed) return std::min(config.armed_wake_us, config.calm_wake_us);
  const bool watchful =
      state.level != Level::calm || is_within(now_us, state.last_sign_us, config.watch_for_us);
  return watchful ? std::min(config.watch_wake_us, config.calm_wake_us) : config.calm_wake_us;
}

/// Whether something was cut short that goes on best at once. A disk that moves next to nothing
/// within a budget is slow, and looking at it more often does not make it faster.
bool is_cut_short(const PolicyState& state, const Observation& observation,
                  const PolicyConfig& config) {
  if (state.again_pools != 0 || state.trim_again) return true;
  return std::ranges::any_of(observation.outcomes, [&config](const Outcome& outcome) {
    return outcome.status == Status::more &&
           std::max(outcome.bytes_released, outcome.bytes_restored) >= config.release_min_bytes;
  });
}

}  // namespace

Decided decide(const PolicyState& state, const Observation& observation,
               const PolicyConfig& config) {
  Decided result;
  PolicyState& next = result.state;
  next = state;
  const std::uint64_t now_us = observation.sample.t_us;
  const std::uint64_t dt_us = next.has_previous ? minus(now_us, next.previous.t_us) : 0;

  settle_outcomes(next, observation.outcomes, now_us, config);
  result.signal = fuse(next, observation.sample, config, find_surge_bytes(observation.pools));
  result.signal.peers_bytes = find_peers_bytes(next.previous.scope, observation.sample);
  const LevelChange change = update_level(next, result.signal, now_us, dt_us, config);
  update_futility(next, result.signal, now_us, config);
  learn_unseen(next, result.signal, now_us, config);

  const bool cut_short = is_cut_short(next, observation, config);

  Decision& decision = result.decision;
  decision.id = ++next.decisions;
  decision.level = next.level;
  decision.need_bytes =
      share_need(measure_need(next, result.signal, now_us, config), result.signal.peers_bytes,
                 observation.sample.own_anon_bytes, next, observation.pools);
  decision.kv_budget_bytes =
      bound_by_soft_max(update_budget(next, result.signal, observation.pools, now_us, config),
                        observation.kv_soft_max_bytes);
  choose_actions(next, Situation{observation, result.signal, change, config}, decision);
  decision.wake_after_us = choose_wake(next, result.signal, now_us, config);
  if (cut_short && !decision.actions.empty()) decision.wake_after_us = config.again_wake_us;
  return result;
}

}  // namespace kvpsi
