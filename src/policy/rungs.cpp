// SPDX-License-Identifier: MIT
// Spill, compact, trim; see rungs.h.
#include "policy/rungs.h"

#include <algorithm>

#include "policy/effort.h"
#include "policy/grow.h"
#include "policy/restore.h"
#include "policy/steps.h"

namespace kvpsi {
namespace {

/// What the lossless rungs may be counted on for: it need not be trimmed. Also while one runs.
struct Lossless {
  std::uint64_t spill_bytes = 0;
  std::uint64_t compact_bytes = 0;

  std::uint64_t sum() const {
    return static_cast<std::uint64_t>(saturate(Wide{spill_bytes} + compact_bytes));
  }
};

/// A compaction that gives next to nothing of the need is not worth its copying.
Lossless find_lossless(const PolicyState& state, const Situation& s, const PoolView& kv,
                       std::uint64_t missing_bytes) {
  Lossless found;
  if (!s.config.release_allowed) return found;
  if (is_usable(state.spill, s.now_us())) {
    found.spill_bytes = std::min(kv.spillable_bytes, minus(kv.live_bytes, floor_bytes(s.config)));
  }
  const std::uint64_t left = minus(missing_bytes, found.spill_bytes);
  const std::uint64_t worth =
      std::max(s.config.release_min_bytes, share_of(left, s.config.least_share_of_need));
  const bool is_worth = left > 0 && kv.compactable_bytes >= worth;
  if (is_worth && is_usable(state.compact, s.now_us())) found.compact_bytes = kv.compactable_bytes;
  return found;
}

/// Idle rows go before context, also out of what is counted as trimmable.
std::uint64_t losable_bytes(const Situation& s, const PoolView& kv, const Lossless& lossless) {
  return std::min(droppable_bytes(kv, floor_bytes(s.config)),
                  minus(kv.live_bytes, static_cast<std::uint64_t>(saturate(
                                           Wide{floor_bytes(s.config)} + lossless.spill_bytes))));
}

void ask_step(PolicyState& state, const Situation& s, Verb verb, std::uint64_t bytes,
              std::uint64_t wanted_bytes, Reason reason, Decision& decision) {
  const Action action{decision.id, verb, PoolKind::kv, bytes, s.config.step_budget_us};
  decision.actions.push_back(action);
  decision.reason = reason;
  const bool for_need = reason == Reason::need;
  note_step(state, action, wanted_bytes, for_need, s.signal.some_fast, s.now_us());
  if (verb == Verb::compact) return;  // what lives stays
  note_restore_undone(state, s.now_us(), s.config);
  if (!for_need) return;
  if (verb == Verb::trim) note_shrink(state, s.now_us(), s.config);
  std::uint64_t taken = 0;
  for (const Action& asked : decision.actions) {
    if (asked.verb == Verb::spill || asked.verb == Verb::trim) taken += asked.bytes;
  }
  const std::uint64_t offered = give_up(state, taken, s.signal, *s.kv(), s.now_us(), s.config);
  decision.kv_budget_bytes = std::min(decision.kv_budget_bytes.value_or(offered), offered);
}

/// Asks the lossless rungs for what is missing, unless they are at it.
void ask_lossless(PolicyState& state, const Situation& s, const PoolView& kv,
                  const Lossless& lossless, std::uint64_t missing_bytes, Reason reason,
                  Decision& decision) {
  const std::uint64_t spill = size_step(missing_bytes, kv, lossless.spill_bytes);
  if (spill > 0 && !is_running(state.spill)) {
    const std::uint64_t now = std::min(spill, find_most_bytes(state.spill, s.config));
    ask_step(state, s, Verb::spill, now, spill, reason, decision);
  }
  const std::uint64_t left = minus(missing_bytes, lossless.spill_bytes);
  const std::uint64_t compact = size_step(left, kv, lossless.compact_bytes);
  if (compact > 0 && !is_running(state.compact)) {
    ask_step(state, s, Verb::compact, compact, compact, reason, decision);
  }
}

/// Whether all that is possible would still not be felt. Measured by what is missing to the lower
/// reserve: the upper one is comfort, and bigger than many a cache.
bool is_too_little(const Situation& s, std::uint64_t need_bytes, double possible_bytes) {
  const Wide gap = Wide{s.signal.reserve_low_bytes} - s.signal.headroom_bytes;
  const Wide missing = gap > 0 ? std::min(gap, Wide{need_bytes}) : Wide{need_bytes};
  return possible_bytes < static_cast<double>(missing) * s.config.least_share_of_need;
}

/// Why no step is in order now, whichever; at_rest = one is.
Reason find_pause(const PolicyState& state, const Situation& s) {
  if (is_blanked(state, s.signal, s.now_us(), s.config)) return Reason::blanking;
  if (is_on_hold(state, s.signal, s.now_us(), s.config)) return Reason::futile;
  return Reason::at_rest;
}

/// The same for the cap and for room.
Reason find_slide_pause(const PolicyState& state, const Situation& s) {
  const std::uint64_t last_us = std::max(state.step_asked_us, state.slid_us);
  const bool is_fresh = is_within(s.now_us(), last_us, s.config.blanking_us);
  return is_fresh && !is_cut_short(state) ? Reason::blanking : Reason::at_rest;
}

/// Why the KV cache must not be trimmed now; at_rest = it may.
Reason find_obstacle(const PolicyState& state, const Situation& s, Reason pause,
                     std::uint64_t losable_bytes) {
  if (!s.config.trim_allowed) return Reason::not_allowed;
  if (state.trim.decision_id != 0) return Reason::in_flight;
  if (pause != Reason::at_rest) return pause;
  return losable_bytes == 0 ? Reason::at_floor : Reason::at_rest;
}

bool explain(Reason reason, Decision& decision) {
  if (decision.actions.empty()) decision.reason = reason;
  return true;
}

/// No bytes are missing although the level says that memory is short.
bool explain_no_need(const PolicyState& state, const Situation& s, Decision& decision) {
  const bool others = s.signal.origin == Origin::parent || s.signal.origin == Origin::system;
  if (others) return explain(Reason::foreign, decision);
  const bool settled = is_effect_known(state, s.signal, s.now_us(), s.config);
  return explain(settled ? Reason::at_rest : Reason::blanking, decision);
}

/// Idle rows first, context only for the rest, whatever it is for. Returns why nothing was asked.
Reason slide(PolicyState& state, const Situation& s, const PoolView& kv,
             std::uint64_t missing_bytes, Reason reason, Decision& decision) {
  Lossless lossless = find_lossless(state, s, kv, missing_bytes);
  lossless.compact_bytes = 0;  // what lives is to become less
  const Reason pause = find_slide_pause(state, s);
  const std::size_t before = decision.actions.size();
  if (pause == Reason::at_rest) {
    ask_lossless(state, s, kv, lossless, missing_bytes, reason, decision);
  }
  const bool is_asked = decision.actions.size() > before;
  if (missing_bytes <= lossless.spill_bytes) {
    if (pause != Reason::at_rest) return pause;
    return is_asked ? Reason::at_rest : Reason::in_flight;
  }
  const std::uint64_t losable = losable_bytes(s, kv, lossless);
  const Reason obstacle = find_obstacle(state, s, pause, losable);
  if (obstacle != Reason::at_rest) return is_asked ? Reason::at_rest : obstacle;
  const std::uint64_t left = missing_bytes - lossless.spill_bytes;
  const std::uint64_t bytes = size_step(left, kv, losable);
  ask_step(state, s, Verb::trim, bytes, bytes, reason, decision);
  return Reason::at_rest;
}

}  // namespace

std::uint64_t size_step(std::uint64_t missing_bytes, const PoolView& kv, std::uint64_t most_bytes) {
  const std::uint64_t granule = std::max<std::uint64_t>(kv.granule_bytes, 1);
  const std::uint64_t more = (granule - missing_bytes % granule) % granule;
  const std::uint64_t rounded =
      missing_bytes + more < missing_bytes ? missing_bytes : missing_bytes + more;
  return std::min(rounded, most_bytes);
}

bool choose_need(PolicyState& state, const Situation& s, std::uint64_t coming_bytes,
                 Decision& decision) {
  const bool is_lossy = state.level >= Level::high && s.change.pressed;
  const bool is_near = s.signal.time_to_empty_s < s.config.high_time_to_empty_s;
  if (state.level == Level::calm || (!s.change.pressed && !is_near)) return false;
  const std::uint64_t need = decision.need_bytes;
  if (need == 0) return is_lossy && explain_no_need(state, s, decision);
  if (need <= coming_bytes) return is_lossy;
  const PoolView* kv = s.kv();
  if (kv == nullptr) return is_lossy && explain(Reason::too_little, decision);

  const Lossless lossless = find_lossless(state, s, *kv, need - coming_bytes);
  if (!is_lossy && lossless.sum() == 0) return false;
  const std::uint64_t losable =
      is_lossy && s.config.trim_allowed ? losable_bytes(s, *kv, lossless) : 0;
  const Wide possible = Wide{coming_bytes} + lossless.sum() + losable;
  const bool is_little = is_too_little(s, need, static_cast<double>(possible));
  const Reason pause = find_pause(state, s);
  if (pause == Reason::at_rest && !is_little) {
    ask_lossless(state, s, *kv, lossless, need - coming_bytes, Reason::need, decision);
  }
  if (Wide{need} <= Wide{coming_bytes} + lossless.sum() || !is_lossy) {
    if (pause != Reason::at_rest) return explain(pause, decision);
    return explain(is_little ? Reason::too_little : Reason::in_flight, decision);
  }
  const Reason obstacle = find_obstacle(state, s, pause, losable);
  if (obstacle != Reason::at_rest) return explain(obstacle, decision);
  if (is_little) return explain(Reason::too_little, decision);
  const auto left = static_cast<std::uint64_t>(Wide{need} - coming_bytes - lossless.sum());
  const std::uint64_t bytes = size_step(left, *kv, losable);
  ask_step(state, s, Verb::trim, bytes, bytes, Reason::need, decision);
  return true;
}

bool choose_cap(PolicyState& state, const Situation& s, Decision& decision) {
  const PoolView* kv = s.kv();
  const std::uint64_t cap = s.config.kv_max_bytes;
  if (kv == nullptr || cap == 0 || kv->live_bytes <= cap) return false;
  const std::uint64_t target = minus(cap, share_of(cap, s.config.cap_slack_share));
  const Reason obstacle =
      slide(state, s, *kv, minus(kv->live_bytes, target), Reason::cap, decision);
  if (obstacle == Reason::at_rest) return true;
  explain(obstacle, decision);
  return obstacle == Reason::in_flight || obstacle == Reason::blanking;
}

bool choose_room(PolicyState& state, const Situation& s, Decision& decision) {
  const PoolView* kv = s.kv();
  if (!state.is_bounded || kv == nullptr || kv->waiting_bytes == 0) return false;
  const Wide wanted = Wide{kv->live_bytes} + kv->waiting_bytes;
  if (wanted <= state.budget_bytes) return false;
  // For what comes within seconds nothing is moved, for what comes in a minute no context is taken.
  const bool grows = will_grow(state, s.signal, *kv, s.now_us(), s.config);
  if (grows && !is_growth_undone(state, s.now_us(), s.config)) return false;
  // Nor is what has just come back moved again for work that memory bears.
  const double reserve = static_cast<double>(s.signal.reserve_high_bytes);
  const bool bears = spare_bytes(state, s.signal, reserve, s.config) >= kv->waiting_bytes;
  if (bears && is_within(s.now_us(), state.restored_us, s.config.grow_again_us)) return false;
  const auto missing = static_cast<std::uint64_t>(wanted - state.budget_bytes);
  const Lossless lossless = find_lossless(state, s, *kv, missing);
  const std::uint64_t losable = s.config.trim_for_room && s.config.trim_allowed && !grows
                                    ? losable_bytes(s, *kv, lossless)
                                    : 0;
  if (Wide{missing} > Wide{lossless.spill_bytes} + losable) return false;
  const Reason obstacle = slide(state, s, *kv, missing, Reason::room, decision);
  if (obstacle != Reason::at_rest) explain(obstacle, decision);
  return true;
}

}  // namespace kvpsi
