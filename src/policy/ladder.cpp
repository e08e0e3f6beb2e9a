// SPDX-License-Identifier: MIT
// Release, cap, trim, tidy, in this order; see ladder.h.
#include "policy/ladder.h"

#include <algorithm>

#include "policy/arith.h"
#include "policy/grow.h"
#include "policy/steps.h"

namespace kvpsi {
namespace {

bool is_rung_zero(PoolKind kind) {
  return kind == PoolKind::kv || kind == PoolKind::scratch || kind == PoolKind::heap;
}

/// The floor and the cap may contradict each other; the cap is the explicit promise to others.
std::uint64_t floor_bytes(const PolicyConfig& config) {
  return config.kv_max_bytes == 0 ? config.kv_min_bytes
                                  : std::min(config.kv_min_bytes, config.kv_max_bytes);
}

std::uint64_t droppable_bytes(const PoolView& kv, std::uint64_t floor) {
  return std::min(kv.trimmable_bytes, minus(kv.live_bytes, floor));
}

void ask(const PolicyConfig& config, Verb verb, PoolKind pool, std::uint64_t bytes,
         Decision& decision) {
  decision.actions.push_back(Action{decision.id, verb, pool, bytes, config.step_budget_us});
}

/// Asks a pool of rung 0 for everything, unless an earlier request still waits there.
void ask_release(PolicyState& state, const Situation& s, PoolKind pool, Decision& decision) {
  if (state.releases[static_cast<std::size_t>(pool)].decision_id != 0) return;
  ask(s.config, Verb::release, pool, 0, decision);
}

void ask_release_of_all(PolicyState& state, const Situation& s, Decision& decision) {
  for (const PoolView& view : s.observation.pools) {
    if (is_rung_zero(view.kind)) ask_release(state, s, view.kind, decision);
  }
}

/// Rung 0. Scratch and heap come back at the next decode and are therefore released once a first
/// sign or level entry; free KV whenever there is some while pressure lasts.
void choose_release(PolicyState& state, const Situation& s, Decision& decision) {
  if (!s.config.release_allowed) return;
  if (s.change.first_sign || s.change.entered) {
    ask_release_of_all(state, s, decision);
    decision.reason = s.change.first_sign ? Reason::first_sign : Reason::level_entry;
    return;
  }
  for (const PoolView& view : s.observation.pools) {
    if (!is_rung_zero(view.kind)) continue;
    const bool again = (state.again_pools >> static_cast<unsigned>(view.kind) & 1) != 0;
    const bool free_kv =
        view.kind == PoolKind::kv && s.change.pressed &&
        view.releasable_bytes >= std::max(view.granule_bytes, s.config.release_min_bytes);
    if (!again && !free_kv) continue;
    ask_release(state, s, view.kind, decision);
    decision.reason = Reason::need;
  }
}

/// What the releases asked for or still in flight will give.
std::uint64_t coming_bytes(const PolicyState& state, const Situation& s, const Decision& decision) {
  Wide sum = 0;
  for (const PoolView& view : s.observation.pools) {
    if (!is_rung_zero(view.kind)) continue;
    bool coming = state.releases[static_cast<std::size_t>(view.kind)].decision_id != 0;
    for (const Action& action : decision.actions) {
      coming = coming || (action.verb == Verb::release && action.pool == view.kind);
    }
    if (coming) sum += view.releasable_bytes;
  }
  return static_cast<std::uint64_t>(saturate(sum));
}

/// Why the KV cache must not be trimmed now; at_rest = it may.
Reason find_obstacle(const PolicyState& state, const Situation& s, const PoolView& kv,
                     bool for_need) {
  const std::uint64_t now_us = s.observation.sample.t_us;
  if (!s.config.trim_allowed) return Reason::not_allowed;
  if (state.trim.decision_id != 0) return Reason::in_flight;
  if (for_need
          ? is_blanked(state, s.signal, now_us, s.config)
          : !state.trim_again && is_within(now_us, std::max(state.trim_asked_us, state.slid_us),
                                           s.config.blanking_us)) {
    return Reason::blanking;
  }
  if (for_need && is_on_hold(state, s.signal, now_us, s.config)) return Reason::futile;
  if (droppable_bytes(kv, floor_bytes(s.config)) == 0) return Reason::at_floor;
  return Reason::at_rest;
}

void ask_trim(PolicyState& state, const Situation& s, std::uint64_t bytes, Reason reason,
              Decision& decision) {
  ask(s.config, Verb::trim, PoolKind::kv, bytes, decision);
  note_trim(state, decision.id, bytes, reason == Reason::need, s.signal.some_fast,
            s.observation.sample.t_us);
  if (reason == Reason::need) note_shrink(state, s.observation.sample.t_us, s.config);
  decision.reason = reason;
}

/// The cap holds without any pressure and where PSI is absent. A step ends a little below it, so
/// that not every token asks for one. Returns whether the cap has decided this turn.
bool choose_cap(PolicyState& state, const Situation& s, Decision& decision) {
  const PoolView* kv = find_pool(s.observation.pools, PoolKind::kv);
  const std::uint64_t cap = s.config.kv_max_bytes;
  if (kv == nullptr || cap == 0 || kv->live_bytes <= cap) return false;
  const Reason obstacle = find_obstacle(state, s, *kv, false);
  if (obstacle != Reason::at_rest) {
    if (decision.actions.empty()) decision.reason = obstacle;
    return obstacle == Reason::in_flight || obstacle == Reason::blanking;
  }
  const std::uint64_t target = minus(cap, share_of(cap, s.config.cap_slack_share));
  ask_trim(state, s, size_step(minus(kv->live_bytes, target), 0, *kv, floor_bytes(s.config)),
           Reason::cap, decision);
  return true;
}

/// Whether a loss of all that is possible would still not be felt. Measured by what is missing to
/// the lower reserve: the upper one is comfort, and bigger than many a cache.
bool is_too_little(const Situation& s, std::uint64_t need_bytes, double possible_bytes) {
  const Wide gap = Wide{s.signal.reserve_low_bytes} - s.signal.headroom_bytes;
  const Wide missing = gap > 0 ? std::min(gap, Wide{need_bytes}) : Wide{need_bytes};
  return possible_bytes < static_cast<double>(missing) * s.config.least_share_of_need;
}

/// Lossy steps, at high and critical only, while the pressure goes on. Returns whether there was
/// pressure to speak of, so that the turn is not one at rest.
bool choose_trim(PolicyState& state, const Situation& s, Decision& decision) {
  if (state.level < Level::high || !s.change.pressed) return false;
  const auto explain = [&](Reason reason) {
    if (decision.actions.empty()) decision.reason = reason;
    return true;
  };
  if (decision.need_bytes == 0) {
    const bool others = s.signal.origin == Origin::parent || s.signal.origin == Origin::system;
    if (others) return explain(Reason::foreign);
    const bool settled = is_effect_known(state, s.signal, s.observation.sample.t_us, s.config);
    return explain(settled ? Reason::at_rest : Reason::blanking);
  }
  const std::uint64_t coming = coming_bytes(state, s, decision);
  if (decision.need_bytes <= coming) return true;
  const PoolView* kv = find_pool(s.observation.pools, PoolKind::kv);
  if (kv == nullptr) return explain(Reason::too_little);
  const Reason obstacle = find_obstacle(state, s, *kv, true);
  if (obstacle != Reason::at_rest) return explain(obstacle);

  const std::uint64_t floor = floor_bytes(s.config);
  const double possible =
      static_cast<double>(droppable_bytes(*kv, floor)) + static_cast<double>(coming);
  if (is_too_little(s, decision.need_bytes, possible)) return explain(Reason::too_little);
  ask_trim(state, s, size_step(decision.need_bytes, coming, *kv, floor), Reason::need, decision);
  return true;
}

/// Work that the budget holds back pushes out older context, where that is what was asked for: an
/// engine at rest beside a full cache gains nobody anything. Only if it then goes on.
bool choose_room(PolicyState& state, const Situation& s, Decision& decision) {
  const PoolView* kv = find_pool(s.observation.pools, PoolKind::kv);
  if (!s.config.trim_for_room || !state.is_bounded || kv == nullptr || kv->waiting_bytes == 0) {
    return false;
  }
  const Wide wanted = Wide{kv->live_bytes} + kv->waiting_bytes;
  if (wanted <= state.budget_bytes) return false;
  if (will_grow(state, s.signal, *kv, s.observation.sample.t_us, s.config)) return false;
  const auto missing = static_cast<std::uint64_t>(wanted - state.budget_bytes);
  const std::uint64_t floor = floor_bytes(s.config);
  if (missing > droppable_bytes(*kv, floor)) return false;
  const Reason obstacle = find_obstacle(state, s, *kv, false);
  if (obstacle != Reason::at_rest) {
    if (decision.actions.empty()) decision.reason = obstacle;
    return true;
  }
  ask_trim(state, s, size_step(missing, 0, *kv, floor), Reason::room, decision);
  return true;
}

/// Without pressure, free KV of some size is handed back too: memory follows tokens.
void choose_tidy(PolicyState& state, const Situation& s, Decision& decision) {
  const PoolView* kv = find_pool(s.observation.pools, PoolKind::kv);
  const std::uint64_t now_us = s.observation.sample.t_us;
  if (kv == nullptr || !s.config.release_allowed) return;
  const std::uint64_t least =
      std::max(s.config.tidy_min_bytes, share_of(kv->live_bytes, s.config.tidy_live_share));
  if (kv->releasable_bytes < least) return;
  if (is_within(now_us, state.last_tidy_us, s.config.tidy_period_us)) return;
  ask_release(state, s, PoolKind::kv, decision);
  if (decision.actions.empty()) {
    decision.reason = Reason::in_flight;
    return;
  }
  decision.reason = Reason::tidy;
  state.last_tidy_us = stamp(now_us);
}

void choose_rungs(PolicyState& state, const Situation& s, Decision& decision) {
  decision.reason = Reason::at_rest;
  if (s.observation.give_back_asked) {
    if (s.config.release_allowed) ask_release_of_all(state, s, decision);
    decision.reason = Reason::asked;
    return;
  }
  if (s.observation.paused) {
    decision.reason = Reason::paused;
    return;
  }
  choose_release(state, s, decision);
  if (choose_cap(state, s, decision)) return;
  if (choose_trim(state, s, decision)) return;
  if (choose_room(state, s, decision)) return;
  if (decision.reason == Reason::at_rest) choose_tidy(state, s, decision);
}

}  // namespace

std::uint64_t size_step(std::uint64_t need_bytes, std::uint64_t free_bytes, const PoolView& kv,
                        std::uint64_t floor) {
  const std::uint64_t wanted = minus(need_bytes, free_bytes);
  const std::uint64_t granule = std::max<std::uint64_t>(kv.granule_bytes, 1);
  const std::uint64_t missing = (granule - wanted % granule) % granule;
  const std::uint64_t rounded = wanted + missing < wanted ? wanted : wanted + missing;
  return std::min(rounded, droppable_bytes(kv, floor));
}

void choose_actions(PolicyState& state, const Situation& situation, Decision& decision) {
  choose_rungs(state, situation, decision);
  // A step that was cut short is asked for again now or not at all.
  state.again_pools = 0;
  state.trim_again = false;
}

}  // namespace kvpsi
