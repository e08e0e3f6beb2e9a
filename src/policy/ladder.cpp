// SPDX-License-Identifier: MIT
// Release, cap, need, room, restore, tidy, in this order; see ladder.h.
#include "policy/ladder.h"

#include <algorithm>

#include "policy/arith.h"
#include "policy/effort.h"
#include "policy/restore.h"
#include "policy/rungs.h"

namespace kvpsi {
namespace {

/// Costs a page fault at most. A prompt cache costs its reader a wait for the disk: rung 1.
bool is_rung_zero(PoolKind kind) { return kind != PoolKind::prompt_cache; }

/// Asks a pool of rung 0 for everything, unless an earlier request still waits there.
void ask_release(PolicyState& state, const Situation& s, PoolKind pool, Decision& decision) {
  if (state.releases[static_cast<std::size_t>(pool)].decision_id != 0) return;
  ask(s.config, Verb::release, pool, 0, decision);
}

void ask_release_of_all(PolicyState& state, const Situation& s, bool with_caches,
                        Decision& decision) {
  for (const PoolView& view : s.observation.pools) {
    const bool gives = is_rung_zero(view.kind) || (with_caches && view.releasable_bytes > 0);
    if (gives) ask_release(state, s, view.kind, decision);
  }
}

/// Rungs 0 and 1. Scratch and heap come back at the next decode and are therefore released once a
/// first sign or level entry; free KV and cached prompts whenever there are some while pressure
/// lasts, prompts not for a first sign alone.
void choose_release(PolicyState& state, const Situation& s, Decision& decision) {
  if (!s.config.release_allowed) return;
  if (s.change.first_sign || s.change.entered) {
    ask_release_of_all(state, s, s.change.entered, decision);
    decision.reason = s.change.first_sign ? Reason::first_sign : Reason::level_entry;
    return;
  }
  for (const PoolView& view : s.observation.pools) {
    const bool again = (state.again_pools >> static_cast<unsigned>(view.kind) & 1) != 0;
    const bool may = view.kind == PoolKind::kv ||
                     (view.kind == PoolKind::prompt_cache && state.level > Level::calm);
    const bool is_free =
        may && s.change.pressed &&
        view.releasable_bytes >= std::max(view.granule_bytes, s.config.release_min_bytes);
    if (!again && !is_free) continue;
    ask_release(state, s, view.kind, decision);
    decision.reason = Reason::need;
  }
}

/// What the releases asked for or still in flight will give.
std::uint64_t coming_bytes(const PolicyState& state, const Situation& s, const Decision& decision) {
  Wide sum = 0;
  for (const PoolView& view : s.observation.pools) {
    bool coming = state.releases[static_cast<std::size_t>(view.kind)].decision_id != 0;
    for (const Action& action : decision.actions) {
      coming = coming || (action.verb == Verb::release && action.pool == view.kind);
    }
    if (coming) sum += view.releasable_bytes;
  }
  return static_cast<std::uint64_t>(saturate(sum));
}

/// Asks for idle rows to go to disk, as many as it takes within a step; for no need that is
/// measured, so that nothing judges it.
bool ask_for_idle(PolicyState& state, const Situation& s, std::uint64_t bytes, Decision& decision) {
  const PoolView* kv = s.kv();
  const bool may = kv != nullptr && is_usable(state.spill, s.now_us()) && !is_running(state.spill);
  if (!may) return false;
  const std::uint64_t losable =
      std::min({bytes, kv->spillable_bytes, minus(kv->live_bytes, floor_bytes(s.config))});
  if (losable < std::max(kv->granule_bytes, s.config.release_min_bytes)) return false;
  const std::uint64_t step = std::min(losable, find_most_bytes(state.spill, s.config));
  ask(s.config, Verb::spill, PoolKind::kv, step, decision);
  note_effort(state.spill, decision.id, step, step, false, s.now_us());
  return true;
}

/// A person wants memory now: all that is free, and what nobody is using. It stays out for as long
/// as after a restore that was undone.
void choose_asked(PolicyState& state, const Situation& s, Decision& decision) {
  decision.reason = Reason::asked;
  if (!s.config.release_allowed) return;
  ask_release_of_all(state, s, true, decision);
  const PoolView* kv = s.kv();
  if (kv != nullptr && ask_for_idle(state, s, kv->spillable_bytes, decision)) {
    state.restore_undone_us = stamp(s.now_us());
  }
}

/// Where a limit kills without stalling first there may be no time once memory is short: free KV,
/// saved prompts that have a disk to go to, and idle rows go while what we may take at once still
/// fits. They stay out for as long as after a restore that was undone.
bool choose_edge(PolicyState& state, const Situation& s, Decision& decision) {
  const std::uint64_t missing = surge_missing_bytes(s.signal);
  if (missing == 0 || !s.config.release_allowed) return false;
  const std::size_t before = decision.actions.size();
  for (const PoolView& view : s.observation.pools) {
    const std::uint64_t goes = view.kind == PoolKind::kv             ? view.releasable_bytes
                               : view.kind == PoolKind::prompt_cache ? view.spillable_bytes
                                                                     : 0;
    const bool is_worth = goes >= std::max(view.granule_bytes, s.config.release_min_bytes);
    if (is_worth) ask_release(state, s, view.kind, decision);
  }
  if (ask_for_idle(state, s, missing, decision)) state.restore_undone_us = stamp(s.now_us());
  if (decision.actions.size() == before) return false;
  decision.reason = Reason::edge;
  return true;
}

/// Scratch of an engine that nobody has asked anything for a while.
void tidy_scratch(PolicyState& state, const Situation& s, Decision& decision) {
  const PoolView* scratch = find_pool(s.observation.pools, PoolKind::scratch);
  if (scratch == nullptr || scratch->idle_bytes < s.config.release_min_bytes) return;
  ask_release(state, s, PoolKind::scratch, decision);
  if (!decision.actions.empty()) decision.reason = Reason::tidy;
}

/// Without pressure, free KV of some size is handed back too: memory follows tokens.
void choose_tidy(PolicyState& state, const Situation& s, Decision& decision) {
  const PoolView* kv = s.kv();
  const std::uint64_t now_us = s.now_us();
  if (!s.config.release_allowed) return;
  tidy_scratch(state, s, decision);
  if (kv == nullptr) return;
  // What nobody has used for long goes to disk; it comes back when it is used, not before.
  if (ask_for_idle(state, s, kv->idle_bytes, decision)) {
    decision.reason = Reason::tidy;
    return;
  }
  const std::uint64_t least =
      std::max(s.config.tidy_min_bytes, share_of(kv->live_bytes, s.config.tidy_live_share));
  if (kv->releasable_bytes < least) return;
  if (is_within(now_us, state.last_tidy_us, s.config.tidy_period_us)) return;
  const std::size_t before = decision.actions.size();
  ask_release(state, s, PoolKind::kv, decision);
  if (decision.actions.size() == before) {
    if (before == 0 && decision.reason == Reason::at_rest) decision.reason = Reason::in_flight;
    return;
  }
  decision.reason = Reason::tidy;
  state.last_tidy_us = stamp(now_us);
}

void choose_rungs(PolicyState& state, const Situation& s, Decision& decision) {
  decision.reason = Reason::at_rest;
  if (s.observation.give_back_asked) {
    choose_asked(state, s, decision);
    return;
  }
  if (s.observation.paused) {
    decision.reason = Reason::paused;
    return;
  }
  choose_release(state, s, decision);
  const bool is_releasing = decision.reason != Reason::at_rest;
  if (choose_cap(state, s, decision)) return;
  if (choose_need(state, s, coming_bytes(state, s, decision), decision)) return;
  if (choose_room(state, s, decision)) return;
  if (is_releasing || choose_edge(state, s, decision)) return;
  // Too much lives and nothing may be done about it: nothing comes back then, free memory still
  // goes.
  if (decision.reason == Reason::at_rest && choose_restore(state, s, decision)) return;
  choose_tidy(state, s, decision);
}

}  // namespace

void choose_actions(PolicyState& state, const Situation& situation, Decision& decision) {
  choose_rungs(state, situation, decision);
  // A step that was cut short is asked for again now or not at all.
  state.again_pools = 0;
  state.trim_again = state.spill.again = state.compact.again = false;
}

}  // namespace kvpsi
