// SPDX-License-Identifier: MIT
// The ladder: which pools give what, cheapest means first. Rung 0 (release) costs nothing and is
// not sized; trimming drops context and is sized by need, gated by everything that could make it
// pointless. Fills in actions and reason of a decision. Next hop: govern/governor.h carries them
// out.
#pragma once

#include <cstdint>

#include "model/tick.h"
#include "policy/config.h"
#include "policy/levels.h"
#include "policy/state.h"

namespace kvpsi {

/// What the rungs look at.
struct Situation {
  const Observation& observation;
  const Signal& signal;
  const LevelChange& change;
  const PolicyConfig& config;
};

/// Chooses the actions for `decision`, whose id, level and need_bytes are set, and gives its
/// reason.
void choose_actions(PolicyState& state, const Situation& situation, Decision& decision);

/// The bytes of a lossy step: the need that releases do not cover, whole granules, never more than
/// the pool may drop above `floor_bytes` of live memory. A larger need never gives a smaller step.
std::uint64_t size_step(std::uint64_t need_bytes, std::uint64_t free_bytes, const PoolView& kv,
                        std::uint64_t floor_bytes);

}  // namespace kvpsi
