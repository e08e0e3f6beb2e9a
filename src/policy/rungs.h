// SPDX-License-Identifier: MIT
// The sized rungs of the ladder: spill idle rows, compact, trim, in this order, each for what the
// ones before it cannot give. For need, for the cap and for new work that waits. Must not release:
// that is rung 0, policy/ladder.h. Next hop: policy/steps.h says whether a step is in order.
#pragma once

#include <cstdint>

#include "model/decision.h"
#include "policy/situation.h"
#include "policy/state.h"

namespace kvpsi {

/// The bytes of a sized step: what is missing in whole granules, never more than the rung can give.
/// A larger need never gives a smaller step.
std::uint64_t size_step(std::uint64_t missing_bytes, const PoolView& kv, std::uint64_t most_bytes);

/// Steps for measured need, while the pressure goes on: lossless ones above calm, trims at high and
/// critical only. `coming_bytes` is what releases will give. Returns whether there was pressure to
/// speak of, so that the turn is not one at rest.
bool choose_need(PolicyState& state, const Situation& s, std::uint64_t coming_bytes,
                 Decision& decision);

/// The cap holds without any pressure and where PSI is absent. A step ends a little below it, so
/// that not every token asks for one. Returns whether the cap has decided this turn.
bool choose_cap(PolicyState& state, const Situation& s, Decision& decision);

/// Work that the budget holds back: idle rows make room for it, and older context does where that
/// is what was asked for. Only if the work then goes on. Returns whether it has decided this turn.
bool choose_room(PolicyState& state, const Situation& s, Decision& decision);

}  // namespace kvpsi
