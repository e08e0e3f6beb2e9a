// SPDX-License-Identifier: MIT
// When, and how much; see restore.h. Steps end at the upper reserve, restores end there too: a gap
// lies between what takes away and what brings back, so that the two do not chase each other.
#include "policy/restore.h"

#include <algorithm>

#include "base/prng.h"
#include "policy/effort.h"
#include "policy/grow.h"

namespace kvpsi {
namespace {

/// A whole fast window has been seen.
bool is_informed(const PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  return !state.history.empty() && minus(now_us, state.history[0].t_us) >= config.fast_window_us;
}

/// Steps of any kind, and signs of pressure that made no level, are followed by the same hold.
bool is_calm_enough(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                    const PolicyConfig& config) {
  const std::uint64_t last_us =
      std::max({state.step_asked_us, state.slid_us, state.last_sign_us, state.last_stall_us});
  const double jitter = 1 + 0.2 * Prng(state.restore_undone_us).unit();
  return is_informed(state, now_us, config) && signal.some_fast < config.grow_some &&
         !is_growth_held(state, now_us, config) &&
         !is_within(now_us, last_us, config.grow_hold_us) &&
         !is_within(now_us, state.restore_undone_us, share_of(config.grow_again_us, jitter));
}

/// What memory bears up to the upper reserve, and the cap up to twice the slack of its steps.
std::uint64_t bearable_bytes(const PolicyState& state, const Signal& signal, const PoolView& kv,
                             const PolicyConfig& config) {
  const std::uint64_t full = full_size(kv, config);
  const std::uint64_t slack =
      config.kv_max_bytes == 0 ? 0 : share_of(full, 2 * config.cap_slack_share);
  const std::uint64_t size =
      full == 0 ? kv.spilled_bytes : minus(minus(full, slack), kv.live_bytes);
  const double kept = static_cast<double>(signal.reserve_high_bytes);
  return std::min(size, spare_bytes(state, signal, kept, config));
}

/// Cells that are free for spans to return to; idle rows have kept theirs.
std::uint64_t free_cell_bytes(const PoolView& kv) {
  if (kv.cells_total == 0) return kv.trimmed_bytes;
  return to_bytes(static_cast<double>(minus(kv.cells_total, kv.cells_live)) *
                  static_cast<double>(kv.bytes_per_cell));
}

std::uint64_t trimmed_room(const PolicyState& state, const Signal& signal, const PoolView& kv,
                           const PolicyConfig& config) {
  // Where new work may push context out, it would only be pushed out again.
  const std::uint64_t waiting = config.trim_for_room ? kv.waiting_bytes : 0;
  return std::min({kv.trimmed_bytes, kv.spilled_bytes, free_cell_bytes(kv),
                   minus(bearable_bytes(state, signal, kv, config), waiting)});
}

/// Idle rows get what new work that waits leaves of the budget.
std::uint64_t idle_room(const PolicyState& state, const Situation& s, const PoolView& kv,
                        const Decision& decision) {
  std::uint64_t room = bearable_bytes(state, s.signal, kv, s.config);
  // Not so much that they would have to go again for what is taken at once.
  const double kept =
      static_cast<double>(s.signal.reserve_low_bytes) + static_cast<double>(s.signal.surge_bytes);
  room = std::min(room, spare_bytes(state, s.signal, kept, s.config));
  if (decision.kv_budget_bytes)
    room = std::min(room, minus(*decision.kv_budget_bytes, kv.live_bytes));
  return std::min(minus(kv.spilled_bytes, kv.trimmed_bytes), minus(room, kv.waiting_bytes));
}

/// The one before it has ended well, or was cut short: it goes on at once.
bool is_under_way(const PolicyState& state, const PoolView& kv, const PolicyConfig& config) {
  const bool is_wary = kv.live_bytes < state.bad_bytes &&
                       kv.live_bytes >= share_of(state.bad_bytes, config.bad_share);
  return state.restore.again || (state.restore.done && !is_wary);
}

/// Less is not worth a read, unless it is the rest.
std::uint64_t least_bytes(const PoolView& kv, const PolicyConfig& config) {
  return std::min(kv.spilled_bytes, std::max(kv.granule_bytes, config.release_min_bytes));
}

/// The first after a step wants room for two growth steps, for a while: into the last MiB beside a
/// neighbour rows would be taken out again, and all the rest would wait for that. Room for one was
/// there in S2 while a prompt was still being read, and gone a quarter of a second later.
std::uint64_t least_first_bytes(const PolicyState& state, const PoolView& kv, std::uint64_t now_us,
                                const PolicyConfig& config) {
  const std::uint64_t last_us = std::max(state.step_asked_us, state.slid_us);
  if (!is_within(now_us, last_us, config.grow_again_us)) return least_bytes(kv, config);
  return std::max(least_bytes(kv, config),
                  std::min(kv.spilled_bytes, 2 * size_growth(state, kv.live_bytes, kv, config)));
}

}  // namespace

std::uint64_t find_returning_bytes(const PolicyState& state, const Signal& signal,
                                   const PoolView& kv, std::uint64_t now_us,
                                   const PolicyConfig& config) {
  if (kv.trimmed_bytes == 0 || !is_usable(state.restore, now_us)) return 0;
  // One that waits for an engine at rest does not hold growth up.
  if (is_running(state.restore) && !is_within(now_us, state.restore.asked_us, config.relapse_us)) {
    return 0;
  }
  if (!is_calm_enough(state, signal, now_us, config)) return 0;
  const std::uint64_t room = trimmed_room(state, signal, kv, config);
  return room > 0 && room >= least_bytes(kv, config) ? room : 0;
}

bool choose_restore(PolicyState& state, const Situation& s, Decision& decision) {
  const PoolView* kv = s.kv();
  const bool goes_on = kv != nullptr && is_under_way(state, *kv, s.config);
  state.restore.again = false;
  if (kv == nullptr || kv->spilled_bytes == 0 || s.change.pressed) return false;
  if (!is_usable(state.restore, s.now_us()) ||
      !is_calm_enough(state, s.signal, s.now_us(), s.config)) {
    return false;
  }
  if (is_running(state.restore)) {
    decision.reason = Reason::in_flight;
    return false;
  }
  if (!goes_on && is_within(s.now_us(), state.restore.asked_us, s.config.grow_period_us)) {
    return false;
  }
  std::uint64_t room = trimmed_room(state, s.signal, *kv, s.config);
  // Behind the spans: while they wait for memory, idle rows do not take it.
  const std::uint64_t spans = std::min(kv->trimmed_bytes, free_cell_bytes(*kv));
  if (spans == 0 || spans < least_bytes(*kv, s.config)) {
    room = idle_room(state, s, *kv, decision);
  }
  const std::uint64_t least =
      goes_on ? least_bytes(*kv, s.config) : least_first_bytes(state, *kv, s.now_us(), s.config);
  if (room == 0 || room < least) return false;
  const std::uint64_t bytes = std::min({room, size_growth(state, kv->live_bytes, *kv, s.config),
                                        find_most_bytes(state.restore, s.config)});
  ask(s.config, Verb::restore, PoolKind::kv, bytes, decision);
  note_effort(state.restore, decision.id, bytes, bytes, false, s.now_us());
  state.restored_us = stamp(s.now_us());
  decision.reason = Reason::restore;
  return true;
}

void note_restore_undone(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  const bool turns = is_within(now_us, state.restored_us, config.grow_again_us);
  if (turns && state.restore_undone_us <= state.restored_us) {
    state.restore_undone_us = stamp(now_us);
  }
}

}  // namespace kvpsi
