// SPDX-License-Identifier: MIT
// Efforts: spills, compactions and restores, which lose nothing but take their time and may fail
// (a slow disk, a full one, a broken one). One of each kind at a time; one that fails is left alone
// for longer each time. Must not choose any: rungs.h and restore.h do. Next hop: policy/steps.h.
#pragma once

#include <cstdint>

#include "model/action.h"
#include "policy/config.h"
#include "policy/state.h"

namespace kvpsi {

/// The effort that an outcome belongs to; nullptr for releases and trims. Points into `state`.
Effort* find_effort(PolicyState& state, Verb verb);

/// Takes note of what became of it. True when it has ended by itself and is to be judged as a step
/// for need: it was all that was needed, and gave back most of it.
bool settle_effort(Effort& effort, const Outcome& outcome, std::uint64_t now_us,
                   const PolicyConfig& config);

/// Notes one that is being asked for: `bytes` of `wanted_bytes`.
void note_effort(Effort& effort, std::uint64_t decision_id, std::uint64_t bytes,
                 std::uint64_t wanted_bytes, bool for_need, std::uint64_t now_us);

/// The most that is asked at once: what the disk moves in some seconds, so that a request ends soon
/// after its reason.
std::uint64_t find_most_bytes(const Effort& effort, const PolicyConfig& config);

/// Whether it may be counted on: it does not wait out a failure.
bool is_usable(const Effort& effort, std::uint64_t now_us);

/// Whether an earlier one has not ended yet.
inline bool is_running(const Effort& effort) { return effort.in_flight.decision_id != 0; }

}  // namespace kvpsi
