// SPDX-License-Identifier: MIT
// Options of `kvpsi bench` and what they mean: presets, defaults of each squeeze, the reference
// project's flags. Next hop: cmd_bench runs it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "bench/bench.h"
#include "cli/cmd_bench_reality.h"

namespace CLI {
class App;
}

namespace kvpsi {

/// As parsed; a zero, an empty text or a negative number stands for the squeeze's own default.
struct BenchCommand {
  std::string model;
  std::string out_dir;
  bool demo = false;
  bool full = false;
  bool preflight_only = false;
  std::string squeezes;
  std::string variants;
  std::string order;
  Scope scope = Scope::automatic;
  std::uint32_t trials = 0;
  std::uint64_t n_ctx = 0;
  std::uint64_t n_predict = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t pressure_mib = 0;
  std::uint64_t pressure_step_mib = 0;
  double pressure_warmup_s = -1;
  std::uint64_t limit_mib = 0;
  double time_max_s = 0;
  double cooldown_s = 1;
  double linger_s = 30;
  std::string spill_dir;
  std::uint64_t keep = 64;
  std::uint64_t tail = 256;
  std::uint64_t min_prune = 64;
  std::uint64_t seed = 1;
  std::uint32_t threads = 1;
  bool rows = false;
  bool at_rest = false;
  std::uint32_t at_rest_pairs = 300;
  RealityCommand reality;
};

void add_bench_options(CLI::App& app, BenchCommand& command);

/// Errors: invalid_argument; not_found or malformed for the model.
Result<BenchOptions> make_bench_options(const BenchCommand& command);

/// The options that differ from their defaults, as one would type them, for the record.
std::string describe_flags(const BenchCommand& command);

}  // namespace kvpsi
