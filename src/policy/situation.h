// SPDX-License-Identifier: MIT
// Situation: what the rungs of the ladder and the way back look at, and the small questions that
// they share. Must not choose anything. Next hops: policy/ladder.h, policy/rungs.h,
// policy/restore.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/tick.h"
#include "policy/arith.h"
#include "policy/config.h"
#include "policy/levels.h"

namespace kvpsi {

struct Situation {
  const Observation& observation;
  const Signal& signal;
  const LevelChange& change;
  const PolicyConfig& config;

  std::uint64_t now_us() const { return observation.sample.t_us; }
  const PoolView* kv() const { return find_pool(observation.pools, PoolKind::kv); }
};

inline void ask(const PolicyConfig& config, Verb verb, PoolKind pool, std::uint64_t bytes,
                Decision& decision) {
  decision.actions.push_back(Action{decision.id, verb, pool, bytes, config.step_budget_us});
}

/// The floor and the cap may contradict each other; the cap is the explicit promise to others.
inline std::uint64_t floor_bytes(const PolicyConfig& config) {
  return config.kv_max_bytes == 0 ? config.kv_min_bytes
                                  : std::min(config.kv_min_bytes, config.kv_max_bytes);
}

/// Of the context, above the floor.
inline std::uint64_t droppable_bytes(const PoolView& kv, std::uint64_t floor) {
  return std::min(kv.trimmable_bytes, minus(kv.live_bytes, floor));
}

}  // namespace kvpsi
