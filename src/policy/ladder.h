// SPDX-License-Identifier: MIT
// The ladder: which pools give what, cheapest means first. Rung 0 (release) costs nothing and is
// not sized; the rungs above it are sized by need (rungs.h), and what is on disk comes back when
// the pressure is over (restore.h). Fills in actions and reason of a decision. Next hop:
// govern/governor.h carries them out.
#pragma once

#include "policy/situation.h"
#include "policy/state.h"

namespace kvpsi {

/// Chooses the actions for `decision`, whose id, level and need_bytes are set, and gives its
/// reason.
void choose_actions(PolicyState& state, const Situation& situation, Decision& decision);

}  // namespace kvpsi
