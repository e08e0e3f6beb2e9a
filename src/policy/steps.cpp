// SPDX-License-Identifier: MIT
// In-flight accounting, blanking, efficacy and the futility guard; see steps.h.
#include "policy/steps.h"

#include <algorithm>

#include "base/prng.h"
#include "policy/arith.h"
#include "policy/effort.h"

namespace kvpsi {
namespace {

std::uint64_t pool_bit(PoolKind pool) {
  return std::uint64_t{1} << (static_cast<unsigned>(pool) % 64);
}

InFlight* find_slot(PolicyState& state, const Outcome& outcome) {
  if (outcome.verb == Verb::trim) return &state.trim;
  const auto index = static_cast<std::size_t>(outcome.pool);
  if (outcome.verb != Verb::release || index >= kPoolKinds) return nullptr;
  return &state.releases[index];
}

/// The hold doubles; +-20 % keep several governed processes from stepping together.
void start_hold(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  const std::uint64_t longer =
      state.futile_hold_us == 0 ? config.futile_hold_min_us
                                : std::min(state.futile_hold_us, config.futile_hold_max_us / 2) * 2;
  state.futile_hold_us =
      std::clamp(longer, std::min(config.futile_hold_min_us, config.futile_hold_max_us),
                 config.futile_hold_max_us);
  const double jitter = 0.8 + 0.4 * Prng(now_us).unit();
  state.futile_until_us = now_us + share_of(state.futile_hold_us, jitter);
}

/// The rungs of one decision are one step, and so is a rung that is reported in parts.
void count_effective(PolicyState& state, std::uint64_t decision_id) {
  if (state.effective_id == decision_id) return;
  state.effective_id = decision_id;
  ++state.effective_steps;
}

/// A trim that ended by itself is judged by the bytes that really came back.
void judge_trim(PolicyState& state, const Outcome& outcome, std::uint64_t now_us,
                const PolicyConfig& config) {
  state.trim_again = outcome.status == Status::more;
  const bool judged = state.trim_for_need && outcome.decision_id == state.trim_asked_id &&
                      state.trim_asked_bytes != 0 && outcome.status != Status::more;
  if (!judged) return;
  state.efficacy =
      static_cast<double>(outcome.bytes_released) / static_cast<double>(state.trim_asked_bytes);
  if (state.efficacy >= config.efficacy_floor) {
    count_effective(state, outcome.decision_id);
    state.ineffective_steps = 0;
  } else {
    ++state.ineffective_steps;
    if (state.ineffective_steps >= config.futile_steps) start_hold(state, now_us, config);
  }
}

/// A release of a few pages (scratch between two tokens) is no step whose effect must be awaited,
/// nor is one that made room for new work: taken for steps, they would hide the pressure.
void end_step(PolicyState& state, const Outcome& outcome, bool slides, std::uint64_t now_us,
              const PolicyConfig& config) {
  const std::uint64_t least = outcome.verb == Verb::trim ? 1 : config.release_min_bytes;
  if (slides || outcome.bytes_released < least) return;
  const std::uint64_t ended_us = outcome.t_us == 0 ? now_us : std::min(outcome.t_us, now_us);
  if (ended_us < state.step_end_us) return;
  state.step_end_us = ended_us;
  state.step_was_trim = outcome.verb == Verb::trim;
}

/// Spill, compact, restore. A step of which nothing came is none: the next rung need not wait.
void settle_lossless(PolicyState& state, Effort& effort, const Outcome& outcome,
                     std::uint64_t now_us, const PolicyConfig& config) {
  const bool is_effective = settle_effort(effort, outcome, now_us, config);
  if (outcome.status == Status::queued) return;
  if (outcome.verb == Verb::restore) {
    if (outcome.bytes_restored > 0) state.restored_us = stamp(now_us);
    return;
  }
  if (is_effective) count_effective(state, outcome.decision_id);
  const bool was_last = outcome.decision_id == effort.asked_id &&
                        effort.asked_us == state.step_asked_us &&
                        outcome.decision_id != state.trim_asked_id;
  if (was_last && !is_usable(effort, now_us)) state.step_asked_us = 0;
  end_step(state, outcome, !effort.for_need, now_us, config);
}

void end_episode(PolicyState& state) {
  state.effective_steps = 0;
  state.effective_id = 0;
  state.ineffective_steps = 0;
  state.held_at_steps = 0;
  state.futile_until_us = 0;
  state.futile_hold_us = 0;
  state.episode_some = 0;
}

}  // namespace

void settle_outcomes(PolicyState& state, const Outcomes& outcomes, std::uint64_t now_us,
                     const PolicyConfig& config) {
  for (const Outcome& outcome : outcomes) {
    if (Effort* effort = find_effort(state, outcome.verb); effort != nullptr) {
      settle_lossless(state, *effort, outcome, now_us, config);
      continue;
    }
    InFlight* slot = find_slot(state, outcome);
    if (slot == nullptr) continue;
    if (outcome.status == Status::queued) {
      const bool ours = outcome.verb == Verb::trim && outcome.decision_id == state.trim_asked_id;
      *slot = InFlight{outcome.decision_id, ours ? state.trim_asked_bytes : 0};
      continue;
    }
    // A pool may fold a later request into an earlier one and then reports the later id only.
    if (outcome.decision_id >= slot->decision_id) *slot = InFlight{};
    if (outcome.verb == Verb::trim) {
      judge_trim(state, outcome, now_us, config);
    } else if (outcome.status == Status::more) {
      state.again_pools |= pool_bit(outcome.pool);
    }
    end_step(state, outcome, outcome.verb == Verb::trim && !state.trim_for_need, now_us, config);
  }
}

void note_step(PolicyState& state, const Action& action, std::uint64_t wanted_bytes, bool for_need,
               double some_fast, std::uint64_t now_us) {
  (for_need ? state.step_asked_us : state.slid_us) = stamp(now_us);
  if (for_need && state.effective_steps == 0) state.episode_some = some_fast;
  if (Effort* effort = find_effort(state, action.verb); effort != nullptr) {
    note_effort(*effort, action.decision_id, action.bytes, wanted_bytes, for_need, now_us);
    return;
  }
  state.trim_asked_id = action.decision_id;
  state.trim_asked_bytes = action.bytes;
  state.trim_for_need = for_need;
  state.trim_again = false;
}

bool is_cut_short(const PolicyState& state) {
  return state.trim_again || state.spill.again || state.compact.again;
}

bool is_settled(const PolicyState& state, std::uint64_t now_us, const PolicyConfig& config) {
  return !is_within(now_us, state.step_end_us, config.fast_window_us) &&
         !is_within(now_us, state.step_asked_us, config.fast_window_us);
}

bool is_effect_known(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                     const PolicyConfig& config) {
  if (is_settled(state, now_us, config)) return true;
  const bool fresh = is_within(now_us, state.step_end_us, config.blanking_us) ||
                     is_within(now_us, state.step_asked_us, config.blanking_us) ||
                     state.step_asked_us > state.step_end_us;
  return !fresh && state.effective_steps <= 1 && is_ours(signal.origin) &&
         signal.some_fast >= config.still_some;
}

bool is_blanked(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                const PolicyConfig& config) {
  if (is_cut_short(state)) return false;
  if (is_within(now_us, state.step_asked_us, config.blanking_us)) return true;
  if (!is_within(now_us, state.step_end_us, config.blanking_us)) return false;
  const bool emergency =
      Wide{signal.headroom_bytes} < Wide{signal.reserve_low_bytes} && !state.step_was_trim;
  return !emergency;
}

void update_futility(PolicyState& state, const Signal& signal, std::uint64_t now_us,
                     const PolicyConfig& config) {
  if (state.level == Level::calm) return end_episode(state);
  if (state.effective_steps == 0 || !is_settled(state, now_us, config)) return;
  if (signal.some_fast <= state.episode_some * (1 - config.futile_drop)) return end_episode(state);
  // After a hold one more step may show whether things have changed.
  const bool tried = state.effective_steps >= std::max<std::uint64_t>(config.futile_steps, 1) &&
                     state.effective_steps > state.held_at_steps;
  if (!tried) return;
  state.held_at_steps = state.effective_steps;
  start_hold(state, now_us, config);
}

bool is_on_hold(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                const PolicyConfig& config) {
  if (now_us >= state.futile_until_us) return false;
  const bool low = Wide{signal.headroom_bytes} < Wide{signal.reserve_low_bytes};
  return !low || state.ineffective_steps >= config.futile_steps;
}

}  // namespace kvpsi
