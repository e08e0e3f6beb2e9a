// SPDX-License-Identifier: MIT
// Tick: one turn of the governor, whole: what was seen, what it was taken to mean, what was
// decided. The only persistent truth; journal/ writes it, every view and the replay read it.
#pragma once

#include <cstdint>
#include <optional>

#include "model/action.h"
#include "model/decision.h"
#include "model/pool_view.h"
#include "model/sample.h"
#include "model/signal.h"

namespace kvpsi {

/// Everything that a decision may depend on, so that a replay needs nothing else.
struct Observation {
  Sample sample;
  PoolViews pools;
  Outcomes outcomes;             ///< actions of earlier decisions that ended since the last tick
  bool give_back_asked = false;  ///< SIGUSR1 or its like arrived since the last tick
  bool paused = false;           ///< governing is paused (SIGUSR2)
  /// The most live KV that new work should fill, as last set by a person; empty = no such goal.
  std::optional<std::uint64_t> kv_soft_max_bytes;

  bool operator==(const Observation&) const = default;
};

/// One line of a journal, schema `kvpsi.tick/1` (docs/journal-format.md).
struct Tick {
  Observation observation;
  Signal signal;
  Decision decision;
  std::uint64_t config_hash = 0;  ///< of the PolicyConfig in force
  std::uint64_t state_hash = 0;   ///< of the policy state after the decision
  bool dry_run = false;           ///< the actions were not carried out
  std::uint64_t cost_us = 0;      ///< CPU time of this turn, not part of what replay compares

  bool operator==(const Tick&) const = default;
};

/// Seconds from one tick to a later one; 0 where the clock ran backwards.
inline double seconds_between(const Tick& first, const Tick& later) {
  const std::uint64_t from_us = first.observation.sample.t_us;
  const std::uint64_t to_us = later.observation.sample.t_us;
  return to_us < from_us ? 0.0 : static_cast<double>(to_us - from_us) / 1e6;
}

}  // namespace kvpsi
