// SPDX-License-Identifier: MIT
// The simulated side: a measured squeeze as a scenario, run over many seeds with the real governor.
// Next hops: sim/run.h, squeeze_times.h reads the ticks.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/reality_plan.h"
#include "bench/squeeze_times.h"
#include "sim/scenario.h"

namespace kvpsi {

/// The squeeze with an onset `onset_delay_s` later than the engine reaches onset_tokens, followed
/// for `follow_s`. Sizes do not vary with the seed.
Scenario make_reality_scenario(const RealityPlan& plan, const RealitySizes& sizes,
                               double onset_delay_s, double follow_s);

/// Seeds 1 .. `seeds`, each with an onset of its own between two heartbeats, as on the real side.
std::vector<SqueezeTimes> simulate_squeeze(const RealityPlan& plan, const RealitySizes& sizes,
                                           std::uint64_t seeds, double follow_s);

}  // namespace kvpsi
