// SPDX-License-Identifier: MIT
// `kvpsi bench --against-simulation`: its options, its run, what it prints.
// Next hop: bench/reality.h does the work.
#pragma once

#include <cstdint>
#include <string>

#include "bench/bench.h"
#include "cli/command.h"

namespace CLI {
class App;
}

namespace kvpsi {

/// As parsed.
struct RealityCommand {
  bool asked = false;
  std::uint32_t repetitions = 10;
  std::uint64_t seeds = 40;
  bool resume = false;
};

void add_reality_options(CLI::App& app, RealityCommand& command);

/// Where results go when --out-dir is not given.
inline constexpr const char* kRealityOutDir = "kvpsi-out/reality";

/// Runs and prints the series. `bench` has model, out_dir, threads, seed and groups. Exit code 1
/// where something asked for is missing; a miss of an aim is a result, not a failure.
int run_reality_command(const RealityCommand& command, BenchOptions bench,
                        const CommonOptions& common);

}  // namespace kvpsi
