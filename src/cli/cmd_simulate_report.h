// SPDX-License-Identifier: MIT
// What `kvpsi simulate` prints: one row a scenario and law, violations with the command that
// repeats each, and how the laws compare. Pure text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/run.h"

namespace kvpsi {

struct ScenarioResults {
  explicit ScenarioResults(std::string scenario_name) : name(std::move(scenario_name)) {}
  std::string name;
  std::vector<RunReport> runs;
};

struct SimulateResults {
  std::uint64_t seeds = 0;
  double wall_s = 0;
  std::vector<ScenarioResults> scenarios;
};

std::uint64_t count_violations(const SimulateResults& results);

/// Table, violations, comparison.
std::string simulate_text(const SimulateResults& results);

/// One line of JSON, schema kvpsi.simulate/1: {schema, scenarios, seeds, simulated_s,
/// wall_s, judged, violations: [{scenario, seed, checker, t_s, what, repeat}], scores: [{scenario,
/// law, ...means}], comparison: see compare_json()}.
std::string simulate_json(const SimulateResults& results);

/// The shipped scenarios as one line of JSON: [{name, title}].
std::string scenarios_json();

}  // namespace kvpsi
