// SPDX-License-Identifier: MIT
// What one decision costs, at rest and at a cliff, and one line of the journal.
#include <benchmark/benchmark.h>

#include "journal/tick_json.h"
#include "support/drive.h"
#include "support/example_tick.h"

namespace kvpsi {
namespace {

test::Driver warm(bool at_cliff) {
  test::Driver drive;
  drive.config.trim_allowed = true;
  drive.world.kv.spillable_bytes = 30 * kMiB;
  drive.world.kv.spilled_bytes = 20 * kMiB;
  drive.world.kv.trimmed_bytes = 10 * kMiB;
  if (at_cliff) {
    drive.world.usage_bytes = drive.world.limit_bytes + 20 * kMiB;
    drive.world.own_some = drive.world.own_full = 0.4;
    drive.world.limit_hits = 200;
  }
  drive.run(15);
  return drive;
}

void decide_turn(benchmark::State& bench, bool at_cliff) {
  const test::Driver drive = warm(at_cliff);
  Observation observation = drive.last_observation;
  observation.sample.t_us += 100'000;
  for (auto _ : bench) benchmark::DoNotOptimize(decide(drive.state, observation, drive.config));
}

void hash_state(benchmark::State& bench) {
  const test::Driver drive = warm(true);
  for (auto _ : bench) benchmark::DoNotOptimize(state_hash(drive.state));
}

void write_tick(benchmark::State& bench) {
  const Tick tick = test::example_tick();
  std::string line;
  for (auto _ : bench) {
    line.clear();
    append_tick_json(line, tick);
    benchmark::DoNotOptimize(line.data());
  }
}

BENCHMARK_CAPTURE(decide_turn, at_rest, false);
BENCHMARK_CAPTURE(decide_turn, at_cliff, true);
BENCHMARK(hash_state);
BENCHMARK(write_tick);

}  // namespace
}  // namespace kvpsi
