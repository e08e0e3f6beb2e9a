// SPDX-License-Identifier: MIT
// The budget of live KV; see grow.h. The shape is TCP's: cut at once, grow fast up to three
// quarters of the size that hurt, then carefully.
#include "policy/grow.h"

#include <algorithm>
#include <limits>

#include "base/prng.h"
#include "policy/arith.h"
#include "policy/restore.h"

namespace kvpsi {

std::uint64_t full_size(const PoolView& kv, const PolicyConfig& config) {
  const std::uint64_t cells_bytes =
      to_bytes(static_cast<double>(kv.cells_total) * static_cast<double>(kv.bytes_per_cell));
  const std::uint64_t all = cells_bytes == 0 ? kv.reserved_bytes : cells_bytes;
  return config.kv_max_bytes == 0 ? all : std::min(all, config.kv_max_bytes);
}

namespace {

/// Live KV and the headroom that may be filled. Some of the room above the lower reserve stays:
/// there the need begins, and a cache grown to that edge would be trimmed for the next trifle.
std::uint64_t fitting_bytes(const PolicyState& state, const PoolView& kv, const Signal& signal,
                            const PolicyConfig& config) {
  const double low = static_cast<double>(signal.reserve_low_bytes);
  const double high = static_cast<double>(signal.reserve_high_bytes);
  const double kept = low + (high - low) * config.grow_margin_share;
  return static_cast<std::uint64_t>(
      saturate(Wide{kv.live_bytes} + spare_bytes(state, signal, kept, config)));
}

/// Pressure very soon after a growth step, with that size in use, or after a restore: the size is
/// to blame, and is remembered.
void note_relapse(PolicyState& state, const PoolView& kv, std::uint64_t now_us,
                  const PolicyConfig& config) {
  const bool in_use = kv.live_bytes >= share_of(state.grown_to_bytes, config.bad_share);
  const bool grew = in_use && is_within(now_us, state.grown_us, config.relapse_us);
  const bool refilled = is_within(now_us, state.restored_us, config.relapse_us);
  if (!grew && !refilled) return;
  if (state.bad_us > std::max(state.grown_us, state.restored_us)) return;
  state.bad_bytes = kv.live_bytes;
  state.bad_us = stamp(now_us);
}

/// So that one request at a time gets through; of a huge cache it must not be more than spare.
std::uint64_t least_budget(const Signal& signal, const PoolView& kv, const PolicyConfig& config) {
  const std::uint64_t full = full_size(kv, config);
  const std::uint64_t trickle =
      std::min(share_of(full, config.budget_least_share), signal.reserve_high_bytes);
  return std::min(std::max(config.kv_min_bytes, trickle), full);
}

/// Only downwards.
void bound(PolicyState& state, std::uint64_t wanted_bytes, const PoolView& kv, std::uint64_t now_us,
           const PolicyConfig& config) {
  const std::uint64_t before = state.is_bounded ? state.budget_bytes : full_size(kv, config);
  if (wanted_bytes >= before) return;
  // Nobody has seen what was not offered.
  if (wanted_bytes < state.offered_bytes) note_shrink(state, now_us, config);
  state.budget_bytes = wanted_bytes;
  state.is_bounded = true;
}

/// A budget that the memory measured now does not bear is none.
void tighten(PolicyState& state, const Signal& signal, const PoolView& kv, std::uint64_t now_us,
             const PolicyConfig& config) {
  const std::uint64_t fits = fitting_bytes(state, kv, signal, config);
  bound(state, std::max({fits, kv.live_bytes, least_budget(signal, kv, config)}), kv, now_us,
        config);
}

bool may_grow(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
              const PolicyConfig& config) {
  return signal.some_fast < config.grow_some && !is_growth_held(state, now_us, config) &&
         !is_within(now_us, state.grown_us, config.grow_period_us);
}

void grow(PolicyState& state, const Signal& signal, const PoolView& kv, std::uint64_t now_us,
          const PolicyConfig& config) {
  const std::uint64_t full = full_size(kv, config);
  const std::uint64_t step = size_growth(state, state.budget_bytes, kv, config);
  const std::uint64_t fits = fitting_bytes(state, kv, signal, config);
  // A running answer may have gone past the budget: what is there and fits is no growth.
  const std::uint64_t base = std::max(state.budget_bytes, std::min(kv.live_bytes, fits));
  const std::uint64_t next = base > fits || fits - base < step ? fits : base + step;
  // A little more is not worth a change of direction, unless work waits for just that.
  const std::uint64_t worth = std::min(step, share_of(full, config.grow_share));
  const bool admits = kv.waiting_bytes > 0 && Wide{next} >= Wide{kv.live_bytes} + kv.waiting_bytes;
  if (next < full && !admits && minus(next, state.budget_bytes) < worth) return;
  if (next <= state.budget_bytes && state.budget_bytes < full) return;
  state.budget_bytes = std::max(state.budget_bytes, next);
  state.grown_us = stamp(now_us);
  state.grown_to_bytes = state.budget_bytes;
  state.is_bounded = state.budget_bytes < full;
}

/// Spans of running contexts come back before new work gets what has grown. What was offered once
/// is not taken away for them, and nothing more is offered while growth is held.
std::optional<std::uint64_t> offer(PolicyState& state, std::uint64_t returning_bytes,
                                   std::uint64_t full, bool is_held) {
  const std::uint64_t budget = state.is_bounded ? state.budget_bytes : full;
  const std::uint64_t least = std::min(state.offered_bytes, budget);
  const std::uint64_t offered = is_held ? least : std::max(minus(budget, returning_bytes), least);
  const bool is_all = !state.is_bounded && offered >= full;
  state.offered_bytes = is_all ? std::numeric_limits<std::uint64_t>::max() : offered;
  if (is_all) return std::nullopt;
  return offered;
}

void forget(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  if (!is_within(now_us, state.bad_us, config.bad_for_us)) state.bad_bytes = 0;
}

}  // namespace

std::optional<std::uint64_t> update_budget(PolicyState& state, const Signal& signal,
                                           const PoolViews& pools, std::uint64_t now_us,
                                           const PolicyConfig& config) {
  const PoolView* kv = find_pool(pools, PoolKind::kv);
  if (kv == nullptr) return std::nullopt;
  forget(state, now_us, config);
  const bool recent =
      is_within(now_us, std::max(state.last_stall_us, state.last_sign_us), config.recent_stall_us);
  const bool low = Wide{signal.headroom_bytes} < Wide{signal.reserve_low_bytes};
  const bool is_pressed = state.level > Level::calm && (recent || low);
  if (is_pressed) {
    note_relapse(state, *kv, now_us, config);
    state.pressed_us = stamp(now_us);
    tighten(state, signal, *kv, now_us, config);
  }
  if (state.is_bounded && may_grow(state, signal, now_us, config)) {
    grow(state, signal, *kv, now_us, config);
  }
  return offer(state, find_returning_bytes(state, signal, *kv, now_us, config),
               full_size(*kv, config), is_pressed || is_growth_held(state, now_us, config));
}

std::uint64_t give_up(PolicyState& state, std::uint64_t bytes, const Signal& signal,
                      const PoolView& kv, std::uint64_t now_us, const PolicyConfig& config) {
  bound(state, std::max(minus(kv.live_bytes, bytes), least_budget(signal, kv, config)), kv, now_us,
        config);
  state.offered_bytes = std::min(state.offered_bytes, state.budget_bytes);
  return state.offered_bytes;
}

void note_shrink(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  const bool turns = is_within(now_us, state.grown_us, config.grow_again_us);
  if (turns && state.undone_us <= state.grown_us) {
    state.undone_us = stamp(now_us);
  }
}

/// Growth that pressure has undone within a minute would come back as flapping at the pace of the
/// hold, so it waits a minute.
bool is_growth_undone(const PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  // Up to a fifth longer, so that several governed processes do not grow together.
  const double jitter = 1 + 0.2 * Prng(state.undone_us).unit();
  return is_within(now_us, state.undone_us, share_of(config.grow_again_us, jitter));
}

bool is_growth_held(const PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  const double jitter = 0.8 + 0.4 * Prng(state.pressed_us).unit();
  return is_within(now_us, state.pressed_us, share_of(config.grow_hold_us, jitter)) ||
         is_growth_undone(state, now_us, config);
}

std::uint64_t size_growth(const PolicyState& state, std::uint64_t size_bytes, const PoolView& kv,
                          const PolicyConfig& config) {
  const std::uint64_t full = full_size(kv, config);
  const std::uint64_t least = std::max<std::uint64_t>(kv.granule_bytes, 1);
  const std::uint64_t step = std::max(share_of(full, config.grow_share), least);
  const std::uint64_t wary_from = share_of(state.bad_bytes, config.bad_share);
  if (size_bytes < wary_from) return std::min(step, std::max(wary_from - size_bytes, least));
  if (size_bytes >= state.bad_bytes) return step;  // it does not hurt any more
  return std::max(share_of(full, config.grow_wary_share), least);
}

/// While it is bad, the page cache of others in the group counts as used: they want it back.
std::uint64_t spare_bytes(const PolicyState& state, const Signal& signal, double kept_bytes,
                          const PolicyConfig& config) {
  const double loss = std::max(0.0, -signal.foreign_slope) * config.horizon_s;
  const double others =
      state.level >= Level::high ? static_cast<double>(state.previous.others_file_bytes) : 0.0;
  return to_bytes(static_cast<double>(signal.headroom_bytes) - kept_bytes - loss - others);
}

bool will_grow(const PolicyState& state, const Signal& signal, const PoolView& kv,
               std::uint64_t now_us, const PolicyConfig& config) {
  const bool stalls_on = signal.some_fast >= config.grow_some &&
                         !is_within(now_us, state.pressed_us, share_of(config.grow_hold_us, 2));
  return !stalls_on &&
         Wide{fitting_bytes(state, kv, signal, config)} >= Wide{kv.live_bytes} + kv.waiting_bytes;
}

}  // namespace kvpsi
