// SPDX-License-Identifier: MIT
// See reality_scenario.h.
#include "bench/reality_scenario.h"

#include <string>

#include "base/bytes.h"
#include "policy/arith.h"
#include "sim/constants.h"
#include "sim/run.h"

namespace kvpsi {
namespace {

/// The machine the constants were fitted on; its RAM does not matter to a limited group.
constexpr std::uint64_t kRamBytes = 24064 * kMiB;
constexpr std::uint64_t kOtherBytes = 2048 * kMiB;
constexpr std::uint64_t kColdFileBytes = 4096 * kMiB;

EngineSpec make_engine(const RealityPlan& plan, const RealitySizes& sizes) {
  EngineSpec engine;
  engine.weights_bytes = sizes.weights_bytes;
  engine.base_bytes =
      minus(sizes.used_bytes, sizes.weights_bytes + kMachine.hidden_file_bytes +
                                  sizes.onset_tokens * sizes.bytes_per_token + sizes.scratch_bytes);
  engine.bytes_per_token = sizes.bytes_per_token;
  engine.granule_bytes = sizes.granule_bytes;
  engine.tokens_per_s = sizes.tokens_per_s;
  engine.prefill_tokens_per_s = sizes.prefill_tokens_per_s;
  engine.prefill_scratch_bytes = sizes.scratch_bytes;
  engine.context_tokens = sizes.n_ctx;
  engine.trim = plan.trims ? TrimRule::eager : TrimRule::off;
  return engine;
}

class Recorder final : public EventSink {
 public:
  void on_tick(const Tick& tick) override { ticks_.push_back(tick); }
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  std::vector<Tick> ticks_;
};

NeighbourSpec make_neighbour(const RealityPlan& plan, const RealitySizes& sizes, double onset_s) {
  NeighbourSpec neighbour;
  neighbour.kind = plan.ramp_step_bytes > 0 ? NeighbourKind::ramp : NeighbourKind::step;
  neighbour.in_group = true;
  neighbour.bytes = plan.neighbour_bytes + sizes.neighbour_overhead_bytes;
  neighbour.start_s = onset_s;
  neighbour.end_s = onset_s + plan.hold_s;
  neighbour.period_s = plan.ramp_s();
  return neighbour;
}

/// Seconds from the start to the onset: prefill, the first answer tokens, the delay.
double find_onset_s(const RealitySizes& sizes, double delay_s) {
  const auto decoded = static_cast<double>(minus(sizes.onset_tokens, sizes.prompt_tokens));
  return static_cast<double>(sizes.prompt_tokens) / sizes.prefill_tokens_per_s +
         decoded / sizes.tokens_per_s + delay_s;
}

std::uint64_t to_us(double seconds) { return static_cast<std::uint64_t>(seconds * 1e6); }

}  // namespace

Scenario make_reality_scenario(const RealityPlan& plan, const RealitySizes& sizes,
                               double onset_delay_s, double follow_s) {
  const double onset_s = find_onset_s(sizes, onset_delay_s);
  Scenario scenario;
  scenario.name = name(plan.kind);
  scenario.varies = false;
  scenario.duration_s = onset_s + plan.hold_s + follow_s;
  scenario.machine.ram_bytes = kRamBytes;
  scenario.machine.other_used_bytes = kOtherBytes;
  scenario.machine.cold_file_bytes = kColdFileBytes;
  scenario.group.limit_bytes = plan.limit_bytes;
  scenario.engine = make_engine(plan, sizes);
  scenario.workload.push_back({.prompt_tokens = sizes.prompt_tokens,
                               .answer_tokens = sizes.n_ctx - sizes.prompt_tokens - 1});
  if (plan.lowered_limit_bytes > 0) {
    scenario.events.push_back({.at_s = onset_s, .bytes = plan.lowered_limit_bytes});
    scenario.events.push_back({.at_s = onset_s + plan.hold_s, .bytes = plan.limit_bytes});
  } else {
    scenario.neighbours.push_back(make_neighbour(plan, sizes, onset_s));
  }
  return scenario;
}

std::vector<SqueezeTimes> simulate_squeeze(const RealityPlan& plan, const RealitySizes& sizes,
                                           std::uint64_t seeds, double follow_s) {
  std::vector<SqueezeTimes> all;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const double phase = (static_cast<double>(seed) - 0.5) / static_cast<double>(seeds);
    const double delay_s = kOnsetSpreadSeconds * phase;
    Recorder recorder;
    run_scenario(make_reality_scenario(plan, sizes, delay_s, follow_s), seed, LawKind::kvpsi,
                 &recorder);
    if (recorder.ticks().empty()) continue;
    // The first turn stands at the scenario's start.
    const std::uint64_t start_us = recorder.ticks().front().observation.sample.t_us;
    const std::uint64_t onset_us = start_us + to_us(find_onset_s(sizes, delay_s));
    all.push_back(find_times(recorder.ticks(), onset_us, onset_us + to_us(plan.hold_s)));
  }
  return all;
}

}  // namespace kvpsi
