// SPDX-License-Identifier: MIT
// Deficit against the upper reserve; see need.h.
#include "policy/need.h"

#include <algorithm>
#include <limits>

#include "policy/arith.h"
#include "policy/steps.h"

namespace kvpsi {
namespace {

constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max();

/// Whether the stall is our own, and caused by the limit that the headroom was measured against.
bool is_stalled_by_limit(const PolicyState& state, const Signal& signal,
                         const PolicyConfig& config) {
  return signal.origin == Origin::own && signal.reclaim_active &&
         signal.some_fast >= config.unseen_some && state.previous.scope == Scope::group;
}

/// What others will take until a step has had its effect. Bounded, since most of them stop: a
/// program that starts takes its memory within a second and then no more.
double foreseen_loss(const Signal& signal, const PolicyConfig& config) {
  const double loss_per_s = -signal.foreign_slope;
  if (!(loss_per_s >= config.slope_floor_bytes_per_s)) return 0;
  return std::min(loss_per_s * config.horizon_s, static_cast<double>(signal.reserve_high_bytes));
}

double aim_bytes(const PolicyState& state, const Signal& signal, const PolicyConfig& config) {
  double aim = static_cast<double>(signal.reserve_high_bytes);
  const std::uint64_t failed = minus(state.effective_steps, 1);
  const std::uint64_t doublings =
      std::min({failed, config.unseen_max_doublings, std::uint64_t{32}});
  for (std::uint64_t i = 0; i < doublings; ++i) aim *= 2;
  return aim;
}

}  // namespace

void learn_unseen(PolicyState& state, const Signal& signal, std::uint64_t now_us,
                  const PolicyConfig& config) {
  if (state.level == Level::calm) state.unseen_bytes = 0;
  // One short stall, a neighbour reading a file, proves nothing yet.
  const bool early = is_within(now_us, state.sign_since_us, config.blanking_us) ||
                     !is_settled(state, now_us, config) || state.trim.decision_id != 0;
  if (early || !is_stalled_by_limit(state, signal, config)) return;
  const double believed =
      static_cast<double>(signal.reserve_high_bytes) * config.unseen_max_reserves;
  const double left = static_cast<double>(signal.headroom_bytes);
  if (left > 0 && left <= believed) state.unseen_bytes = to_bytes(left);
}

std::uint64_t measure_need(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                           const PolicyConfig& config) {
  if (signal.headroom_bytes == kUnknown) return 0;
  const double low = static_cast<double>(signal.reserve_low_bytes);
  double projected = static_cast<double>(signal.headroom_bytes) - foreseen_loss(signal, config);
  if (projected < low) {
    return to_bytes(static_cast<double>(signal.reserve_high_bytes) - projected);
  }
  projected -= static_cast<double>(state.unseen_bytes);
  if (projected >= low || !is_settled(state, now_us, config)) return 0;
  return to_bytes(aim_bytes(state, signal, config) - projected);
}

}  // namespace kvpsi
