// SPDX-License-Identifier: MIT
// What follows from a scenario without running it: names, variations, the law's settings. Next
// hops: scenario_parse.cpp reads files, machine.h runs them.
#include "sim/scenario.h"

#include <cmath>

#include "base/prng.h"

namespace kvpsi {

std::string_view name(NeighbourKind kind) {
  switch (kind) {
    case NeighbourKind::step:
      return "step";
    case NeighbourKind::ramp:
      return "ramp";
    case NeighbourKind::sawtooth:
      return "sawtooth";
    case NeighbourKind::leak:
      return "leak";
    case NeighbourKind::flap:
      return "flap";
    case NeighbourKind::foreign:
      return "foreign";
    case NeighbourKind::trace:
      return "trace";
  }
  return "unknown";
}

std::string_view name(EventKind kind) {
  switch (kind) {
    case EventKind::limit:
      return "limit";
    case EventKind::psi_vanishes:
      return "psi_vanishes";
    case EventKind::psi_returns:
      return "psi_returns";
    case EventKind::counter_reset:
      return "counter_reset";
    case EventKind::clock_jump:
      return "clock_jump";
    case EventKind::suspend:
      return "suspend";
    case EventKind::pools_refuse:
      return "pools_refuse";
    case EventKind::pools_obey:
      return "pools_obey";
    case EventKind::disk_full:
      return "disk_full";
    case EventKind::disk_broken:
      return "disk_broken";
    case EventKind::disk_works:
      return "disk_works";
    case EventKind::disk_rate:
      return "disk_rate";
    case EventKind::give_back:
      return "give_back";
    case EventKind::pause:
      return "pause";
    case EventKind::resume:
      return "resume";
  }
  return "unknown";
}

Scenario vary_scenario(const Scenario& scenario, std::uint64_t seed) {
  if (!scenario.varies) return scenario;
  Prng prng(seed);
  const auto factor = [&prng] { return kLeastFactor + 0.2 * prng.unit(); };
  const auto vary = [](std::uint64_t& value, double by) {
    value = static_cast<std::uint64_t>(std::llround(static_cast<double>(value) * by));
  };
  Scenario varied = scenario;
  const double time = factor();
  varied.duration_s *= time;
  if (varied.expect.relief_s) *varied.expect.relief_s *= time;
  varied.engine.tokens_per_s *= factor();
  varied.engine.prefill_tokens_per_s *= factor();
  varied.machine.disk_read_bytes_per_s *= factor();
  for (SequenceSpec& sequence : varied.workload) {
    sequence.start_s *= time;
    sequence.pause_s *= time;
    vary(sequence.prompt_tokens, factor());
    vary(sequence.answer_tokens, factor());
    if (sequence.prompt_tokens == 0) sequence.prompt_tokens = 1;
  }
  for (NeighbourSpec& neighbour : varied.neighbours) {
    neighbour.start_s *= time;
    neighbour.end_s *= time;
    neighbour.period_s *= time;
    const double size = factor();
    vary(neighbour.bytes, size);
    for (auto& [t_s, bytes] : neighbour.trace) {
      t_s *= time;
      vary(bytes, size);
    }
  }
  for (EventSpec& event : varied.events) {
    event.at_s *= time;
    event.seconds *= time;
  }
  varied.disk.bytes_per_s *= factor();
  return varied;
}

PolicyConfig make_policy_config(const Scenario& scenario) {
  PolicyConfig config;
  config.release_allowed = true;
  config.trim_allowed = scenario.engine.trim != TrimRule::off;
  config.trim_for_room = scenario.engine.trim == TrimRule::eager;
  config.kv_min_bytes = scenario.engine.kv_min_bytes;
  config.kv_max_bytes = scenario.engine.kv_max_bytes;
  return config;
}

}  // namespace kvpsi
