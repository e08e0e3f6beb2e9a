// SPDX-License-Identifier: MIT
// How tight memory is: first sign, stress and the four levels. A level is entered at once and left
// one at a time after a quiet time. Must not choose actions. Next hop: policy/ladder.h.
#pragma once

#include <cstdint>

#include "model/decision.h"
#include "model/signal.h"
#include "policy/config.h"
#include "policy/state.h"

namespace kvpsi {

/// What changed with this signal.
struct LevelChange {
  bool first_sign = false;  ///< the first stall after a time without
  bool entered = false;     ///< a higher level was entered
  /// Memory is short now: stall that is not the echo of a window, or an OOM kill done or near.
  bool pressed = false;
};

/// Whether stall is enough for low headroom or a hit limit to mean something: a small group is
/// always full of page cache, and its limit is hit by every file that is read. Without PSI our own
/// major faults under reclaim stand in.
bool is_stressed(const Signal& signal, const PolicyConfig& config);

/// The highest level whose enter condition holds.
Level find_level(const Signal& signal, const PolicyConfig& config);

/// Whether the leave condition of `level` holds.
bool is_quiet(Level level, const Signal& signal, const PolicyConfig& config);

/// Moves signs and level of the state. `dt_us` is the time since the previous sample.
LevelChange update_level(PolicyState& state, const Signal& signal, std::uint64_t now_us,
                         std::uint64_t dt_us, const PolicyConfig& config);

}  // namespace kvpsi
