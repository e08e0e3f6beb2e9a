// SPDX-License-Identifier: MIT
// What became of earlier steps: in flight, ended, effective, futile. Writes the steps part of the
// state from outcomes; the rungs ask it whether another sized step is in order.
#pragma once

#include <cstdint>

#include "model/action.h"
#include "model/signal.h"
#include "policy/config.h"
#include "policy/state.h"

namespace kvpsi {

/// Takes note of the outcomes. A queued one stays in flight until its end is reported; one cut by
/// its budget (`more`) makes the ladder ask again at once.
void settle_outcomes(PolicyState& state, const Outcomes& outcomes, std::uint64_t now_us,
                     const PolicyConfig& config);

/// Notes a sized step (spill, compact, trim) that is being asked for, as a part of `wanted_bytes`.
/// `for_need` is false for the
/// cap and for room, whose steps are not judged by the stall they lower.
void note_step(PolicyState& state, const Action& action, std::uint64_t wanted_bytes, bool for_need,
               double some_fast, std::uint64_t now_us);

/// Whether a step was cut short by its budget, to be asked for again at once.
bool is_cut_short(const PolicyState& state);

/// Whether a whole fast window has passed since the last step ended or was asked for.
bool is_settled(const PolicyState& state, std::uint64_t now_us, const PolicyConfig& config);

/// Whether the effect of the last step is known: a whole fast window has passed, or stall of our
/// own went on right after it (still_some of the window, all of it later than the step), which
/// shows sooner that it was too small. Only the first step of an episode is judged so quickly:
/// later ones have to prove themselves, see update_futility.
bool is_effect_known(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                     const PolicyConfig& config);

/// Whether the last step is too fresh for its effect to show. A release or spill that has ended
/// does not delay the next step while headroom is below its lower reserve: headroom shows at once
/// what came back.
bool is_blanked(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                const PolicyConfig& config);

/// Judges the steps of this episode by the stall that is left: when they changed nothing, lossy
/// steps are put on hold, longer each time. The episode ends when stall has fallen or memory is
/// calm.
void update_futility(PolicyState& state, const Signal& signal, std::uint64_t now_us,
                     const PolicyConfig& config);

/// Whether lossy steps are on hold. A hold for stall that did not fall is left when headroom is
/// below its lower reserve; one for bytes that did not come back is not.
bool is_on_hold(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                const PolicyConfig& config);

}  // namespace kvpsi
