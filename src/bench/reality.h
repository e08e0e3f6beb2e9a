// SPDX-License-Identifier: MIT
// A series of real squeezes with the same squeezes simulated beside them: measuring run, plan,
// repetitions in turn, comparison, files. Goes on with an interrupted series. Prints nothing.
// Next hops: run_trial (the real side), reality_scenario (the simulated one), reality_rows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "bench/bench.h"
#include "bench/reality_record.h"

namespace kvpsi {

struct RealityOptions {
  BenchOptions bench;  ///< model, out_dir, threads, seed, groups; squeezes are not looked at
  std::uint32_t repetitions = 10;
  std::uint64_t seeds = 40;  ///< of the simulated side
  bool resume = false;       ///< go on with what lies in out_dir
};

/// "[7/40] ramp 2": what is going on.
struct RealityProgress {
  std::string doing;
  std::uint32_t runs_done = 0;
  std::uint32_t runs_total = 0;
  const RealityRun* finished = nullptr;
};

using RealityListener = std::function<void(const RealityProgress&)>;

/// Runs it. results.json is written whole after every run. A stop, or a failure of the bench
/// itself, ends the series: what there is comes back, with what is missing; context.complete tells.
/// Errors: before anything ran (model, groups, disk, a record that cannot be gone on with).
Result<RealityRecord> run_reality(const RealityOptions& options, const std::function<bool()>& stop,
                                  const RealityListener& listen);

}  // namespace kvpsi
