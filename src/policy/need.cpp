// SPDX-License-Identifier: MIT
// Deficit against the upper reserve; see need.h.
#include "policy/need.h"

#include <algorithm>
#include <limits>

#include "policy/arith.h"
#include "policy/effort.h"
#include "policy/steps.h"

namespace kvpsi {
namespace {

constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max();

/// Whether the stall is ours to relieve, and caused by the limit that the headroom was measured
/// against.
bool is_stalled_by_limit(const PolicyState& state, const Signal& signal, double least_some) {
  return is_ours(signal.origin) && signal.reclaim_active && signal.some_fast >= least_some &&
         state.previous.scope == Scope::group;
}

/// What others will take until a step has had its effect. Bounded, since most of them stop: a
/// program that starts takes its memory within a second and then no more.
double foreseen_loss(const Signal& signal, const PolicyConfig& config) {
  const double loss_per_s = -signal.foreign_slope;
  if (!(loss_per_s >= config.slope_floor_bytes_per_s)) return 0;
  return std::min(loss_per_s * config.horizon_s, static_cast<double>(signal.reserve_high_bytes));
}

/// What others keep in the page cache of our limit, at its least over the history: under reclaim
/// that is what they use. Bounded, since cache that nobody wants may be among it.
std::uint64_t find_others_file(const PolicyState& state, const Signal& signal,
                               const PolicyConfig& config) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i < state.history.size(); ++i) {
    const Point& point = state.history[i];
    if (point.scope == Scope::group) least = std::min(least, point.others_file_bytes);
  }
  if (least == std::numeric_limits<std::uint64_t>::max()) return 0;
  return std::min(least, share_of(signal.reserve_high_bytes, config.others_max_reserves));
}

/// More headroom than this is taken for real whatever the stall: a neighbour may stall over files
/// of its own. The longer it goes on, the less that is an excuse.
double find_believed(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                     const PolicyConfig& config) {
  const double believed =
      static_cast<double>(signal.reserve_high_bytes) * config.unseen_max_reserves;
  if (signal.some_fast < config.high_some) return believed;
  const double windows = static_cast<double>(minus(now_us, state.sign_since_us)) /
                         static_cast<double>(std::max<std::uint64_t>(config.fast_window_us, 1));
  return believed * std::max(1.0, std::min(windows, config.unseen_max_growth));
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
                     !is_effect_known(state, signal, now_us, config) ||
                     state.trim.decision_id != 0 || is_running(state.spill);
  if (early || !is_stalled_by_limit(state, signal, config.unseen_some)) return;
  const double left = static_cast<double>(signal.headroom_bytes);
  if (left > find_believed(state, signal, now_us, config)) return;
  state.unseen_bytes =
      std::max(to_bytes(std::max(0.0, left)), find_others_file(state, signal, config));
}

std::uint64_t measure_need(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                           const PolicyConfig& config) {
  if (signal.headroom_bytes == kUnknown) return 0;
  const double low = static_cast<double>(signal.reserve_low_bytes);
  const double high = static_cast<double>(signal.reserve_high_bytes);
  const double seen = static_cast<double>(signal.headroom_bytes) - foreseen_loss(signal, config);
  const bool known = is_effect_known(state, signal, now_us, config);
  std::uint64_t unseen_bytes = known ? state.unseen_bytes : 0;
  if (seen < low && is_stalled_by_limit(state, signal, config.stress_some)) {
    // Even with all page cache of others taken it would not do, and they want theirs back.
    unseen_bytes = std::max(unseen_bytes, find_others_file(state, signal, config));
  }
  const double left = seen - static_cast<double>(unseen_bytes);
  if (seen < low) return to_bytes(high - left);
  if (!known || left >= low) return 0;
  return to_bytes(aim_bytes(state, signal, config) - left);
}

}  // namespace kvpsi
