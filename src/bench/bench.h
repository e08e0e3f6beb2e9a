// SPDX-License-Identifier: MIT
// The whole benchmark: context, measuring, trials in sequence, verdicts, files. Prints nothing; the
// command line passes a listener. Next hops: calibrate, run_trial, verdict, results.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/engine_flags.h"
#include "bench/group_home.h"
#include "bench/plan.h"
#include "bench/results.h"

namespace kvpsi {

enum class Scope : std::uint8_t { automatic, cgroup, system };

/// All of one squeeze. Zeros of n_ctx take the squeeze's default.
struct SqueezeOptions {
  SqueezePlan plan;
  std::uint64_t n_ctx = 0;
  std::uint64_t prompt_tokens = 2000;
  std::uint64_t n_predict = 300;
  std::uint64_t tenants = 1;      ///< conversations of prompt_tokens each; one decodes n_predict
  std::uint64_t then_tokens = 0;  ///< what each of the others decodes afterwards
  double linger_s = 0;            ///< how long psi waits after decoding for trimmed context
  PressSpec neighbour;
  std::uint64_t limit_bytes = 0;  ///< 0 = measured
  double time_max_s = 20;
  Scope scope = Scope::automatic;

  Squeeze squeeze() const { return plan.squeeze; }
};

struct BenchOptions {
  std::vector<SqueezeOptions> squeezes;
  std::string model;
  std::string out_dir;
  std::string executable = "/proc/self/exe";
  std::string flags;  ///< as given, for the record
  std::string version;
  std::string llama_commit;
  std::uint64_t seed = 1;
  std::uint32_t threads = 1;
  std::uint64_t keep = 64;
  std::uint64_t tail = 256;
  std::uint64_t min_prune = 64;
  double cooldown_s = 0;  ///< rest before each run
  std::string spill_dir;  ///< empty: the engine chooses
  OwnGroups own_groups;
  std::string proc = "/proc";
  std::string sys = "/sys";
};

/// What the bench does now.
struct BenchProgress {
  std::string doing;  ///< "S1 trial 3 of 10: psi"
  std::uint32_t runs_done = 0;
  std::uint32_t runs_total = 0;     ///< measuring runs included
  double eta_s = 0;                 ///< 0 = not known yet
  const Trial* finished = nullptr;  ///< set when a run has just ended
};

using BenchListener = std::function<void(const BenchProgress&)>;

/// Runs it. out_dir exists afterwards, with results.json (written whole after every run) and a
/// journal and a summary a run. A stop returns the results so far, with context.complete = false.
/// Errors: before anything ran (options, model, groups, disk); later ones become warnings of
/// incomplete results once there is at least one trial.
Result<BenchResults> run_bench(const BenchOptions& options, const std::function<bool()>& stop,
                               const BenchListener& listen);

/// The neighbour of S1, S2 and S3: three quarters anonymous, one quarter file-backed.
PressSpec split_neighbour(std::uint64_t bytes);

}  // namespace kvpsi
