// SPDX-License-Identifier: MIT
// The budget of live KV; see grow.h. The shape is TCP's: cut at once, grow fast up to three
// quarters of the size that hurt, then carefully.
#include "policy/grow.h"

#include <algorithm>

#include "base/prng.h"
#include "policy/arith.h"

namespace kvpsi {
namespace {

/// All that the cache can ever hold: its cells, at most the cap.
std::uint64_t full_bytes(const PoolView& kv, const PolicyConfig& config) {
  const std::uint64_t cells_bytes =
      to_bytes(static_cast<double>(kv.cells_total) * static_cast<double>(kv.bytes_per_cell));
  const std::uint64_t all = cells_bytes == 0 ? kv.reserved_bytes : cells_bytes;
  return config.kv_max_bytes == 0 ? all : std::min(all, config.kv_max_bytes);
}

/// Live KV and the headroom above the upper reserve, without what others will take meanwhile.
std::uint64_t fitting_bytes(const PoolView& kv, const Signal& signal, const PolicyConfig& config) {
  const double loss = std::max(0.0, -signal.foreign_slope) * config.horizon_s;
  const double room = static_cast<double>(signal.headroom_bytes) -
                      static_cast<double>(signal.reserve_high_bytes) - loss;
  return to_bytes(static_cast<double>(kv.live_bytes) + std::max(0.0, room));
}

/// The longer the more often growing brought the pressure back; +-20 % keep several governed
/// processes from growing together.
std::uint64_t hold_us(const PolicyState& state, const PolicyConfig& config) {
  std::uint64_t hold = config.grow_hold_us;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(state.relapses, 32); ++i) {
    hold = std::min(hold, config.grow_hold_max_us / 2) * 2;
  }
  const double jitter = 0.8 + 0.4 * Prng(state.above_calm_us).unit();
  return share_of(std::min(hold, config.grow_hold_max_us), jitter);
}

/// Pressure soon after a growth step: growing was wrong, and this size is remembered.
void note_relapse(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  if (!is_within(now_us, state.grown_us, config.relapse_us)) return;
  state.bad_bytes = state.grown_to_bytes;
  state.relapsed_us = std::max<std::uint64_t>(now_us, 1);
  ++state.relapses;
  state.grown_us = 0;
}

void cut(PolicyState& state, const Signal& signal, const PoolView& kv, std::uint64_t now_us,
         const PolicyConfig& config) {
  note_relapse(state, now_us, config);
  const bool starts = !state.is_bounded;
  state.above_calm_us = std::max<std::uint64_t>(now_us, 1);
  // While it is as bad as that, the page cache of others counts as used: they want it back.
  const std::uint64_t others =
      state.level >= Level::high ? state.previous.others_file_bytes : std::uint64_t{0};
  const std::uint64_t room =
      std::max(kv.live_bytes, minus(fitting_bytes(kv, signal, config), others));
  const std::uint64_t wanted = std::max(room, config.kv_min_bytes);
  state.budget_bytes = starts ? wanted : std::min(state.budget_bytes, wanted);
  state.is_bounded = state.budget_bytes < full_bytes(kv, config);
}

bool may_grow(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
              const PolicyConfig& config) {
  return signal.some_slow < config.grow_some &&
         !is_within(now_us, state.above_calm_us, hold_us(state, config)) &&
         !is_within(now_us, state.grown_us, config.grow_period_us);
}

void grow(PolicyState& state, const Signal& signal, const PoolView& kv, std::uint64_t now_us,
          const PolicyConfig& config) {
  const std::uint64_t full = full_bytes(kv, config);
  const std::uint64_t least = std::max<std::uint64_t>(kv.granule_bytes, 1);
  std::uint64_t step = std::max(share_of(full, config.grow_share), least);
  const std::uint64_t wary_from = share_of(state.bad_bytes, config.bad_share);
  if (state.bad_bytes != 0 && state.budget_bytes >= wary_from) {
    step = std::max(share_of(full, config.grow_wary_share), least);
  } else if (state.bad_bytes != 0) {
    step = std::min(step, std::max(minus(wary_from, state.budget_bytes), least));
  }
  const std::uint64_t fits = fitting_bytes(kv, signal, config);
  // A running answer may have gone past the budget: what is there and fits is no growth.
  const std::uint64_t base = std::max(state.budget_bytes, std::min(kv.live_bytes, fits));
  const std::uint64_t next = base > fits || fits - base < step ? fits : base + step;
  if (next <= state.budget_bytes && state.budget_bytes < full) return;
  state.budget_bytes = std::max(state.budget_bytes, next);
  state.grown_us = std::max<std::uint64_t>(now_us, 1);
  state.grown_to_bytes = state.budget_bytes;
  state.is_bounded = state.budget_bytes < full;
}

void forget(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  if (state.relapses == 0 || is_within(now_us, state.relapsed_us, config.bad_for_us)) return;
  state.relapses /= 2;
  state.bad_bytes = 0;
  state.relapsed_us = std::max<std::uint64_t>(now_us, 1);
}

}  // namespace

std::optional<std::uint64_t> update_budget(PolicyState& state, const Signal& signal,
                                           const PoolViews& pools, std::uint64_t now_us,
                                           const PolicyConfig& config) {
  const PoolView* kv = find_pool(pools, PoolKind::kv);
  if (kv == nullptr) return std::nullopt;
  forget(state, now_us, config);
  if (state.level > Level::calm) {
    cut(state, signal, *kv, now_us, config);
  } else if (state.is_bounded && may_grow(state, signal, now_us, config)) {
    grow(state, signal, *kv, now_us, config);
  }
  if (!state.is_bounded) return std::nullopt;
  return state.budget_bytes;
}

}  // namespace kvpsi
