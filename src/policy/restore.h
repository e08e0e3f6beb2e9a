// SPDX-License-Identifier: MIT
// The way back: what lies on disk returns to memory once pressure is over and there is room, spans
// of running contexts before new work gets any, idle rows with what new work leaves. In steps, one
// at a time, never within the hold. Must not make room: rungs.h does. Next hop: policy/ladder.h.
#pragma once

#include <cstdint>

#include "model/decision.h"
#include "policy/situation.h"
#include "policy/state.h"

namespace kvpsi {

/// Of the spans that were taken out of running contexts, what comes back now and next: the pressure
/// is over, they do not wait out a failure, and memory bears them. New work does not get that room.
std::uint64_t find_returning_bytes(const PolicyState& state, const Signal& signal,
                                   const PoolView& kv, std::uint64_t now_us,
                                   const PolicyConfig& config);

/// Asks for a restore where one is in order. Returns whether it has decided this turn.
bool choose_restore(PolicyState& state, const Situation& s, Decision& decision);

/// A step makes the cache smaller: where a restore came within the last minute, it is undone, and
/// the next one waits as long again.
void note_restore_undone(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config);

}  // namespace kvpsi
