// SPDX-License-Identifier: MIT
// One run: the real Governor on the synthetic machine under one law, judged by all checkers and
// scored. Pure: a scenario, a seed and a law give the same report on every machine. Next hops:
// govern/governor.h, sim/machine.h, sim/checker.h.
#pragma once

#include <cstdint>
#include <vector>

#include "govern/governor.h"
#include "sim/checker.h"
#include "sim/laws.h"
#include "sim/scenario.h"
#include "sim/watcher.h"

namespace kvpsi {

/// What a run cost. Less is better, but for tokens_decoded.
struct Score {
  double own_stall_s = 0;
  double others_stall_s = 0;
  double first_stall_s = -1;   ///< scenario time, -1 = none
  double first_action_s = -1;  ///< the first turn that asked for anything, -1 = none
  double stall_before_action_s = 0;
  double kv_given_up_mib_s = 0;  ///< KV missing while nobody needed the room, MiB x s
  std::uint64_t tokens_lost = 0;
  std::uint64_t tokens_decoded = 0;
  std::uint64_t oom_kills = 0;
};

struct RunReport {
  std::uint64_t seed = 0;
  LawKind law = LawKind::kvpsi;
  Score score;
  std::vector<Violation> violations;  ///< of the kvpsi law only: rivals promise nothing
  double simulated_s = 0;
  std::uint64_t turns = 0;  ///< of the governor
};

/// Runs it to its end. `sink` hears every turn as well, `watcher` every instant; nullptr: nobody.
RunReport run_scenario(const Scenario& scenario, std::uint64_t seed, LawKind law,
                       EventSink* sink = nullptr, Watcher* watcher = nullptr);

}  // namespace kvpsi
