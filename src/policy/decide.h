// SPDX-License-Identifier: MIT
// Start here for the control law: one observation in, one decision out. The walk: settle the
// outcomes of earlier steps (steps.h), fuse the counters into a Signal (fuse.h), move the level
// (levels.h), size the need (need.h), bound growth (grow.h), choose the actions (ladder.h). Pure:
// no clock, no I/O, no allocation; time is in the sample. docs/policies.md has every rule in a
// sentence.
#pragma once

#include "model/decision.h"
#include "model/signal.h"
#include "model/tick.h"
#include "policy/config.h"
#include "policy/state.h"

namespace kvpsi {

/// What one observation led to.
struct Decided {
  PolicyState state;  ///< to be handed to the next call
  Signal signal;      ///< what the observation was taken to mean
  Decision decision;  ///< what to do, why, and when to look again
};

/// The law. Total: any observation, also with counters that jump, run backwards or stand at their
/// extremes, gives a decision; equal arguments give equal results on every machine.
Decided decide(const PolicyState& state, const Observation& observation,
               const PolicyConfig& config);

}  // namespace kvpsi
