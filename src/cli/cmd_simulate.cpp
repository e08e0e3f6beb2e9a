// SPDX-License-Identifier: MIT
// `kvpsi simulate`: the governor on synthetic machines, over scenarios and seeds, judged and
// scored. Next hops: sim/run.h, cmd_simulate_report.h (how it looks), cmd_simulate_replay.h
// (recorded runs).
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/clock.h"
#include "cli/cmd_simulate_progress.h"
#include "cli/cmd_simulate_replay.h"
#include "cli/cmd_simulate_report.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/scenario_input.h"
#include "sim/run.h"

namespace kvpsi {
namespace {

struct SimulateOptions {
  std::string scenario = "all";
  std::uint64_t seeds = 20;
  std::uint64_t seed = 1;
  std::string law = "kvpsi";
  bool list = false;
  ReplayOptions replay;
};

void list_scenarios(bool json) {
  if (json) {
    fmt::print("{}", scenarios_json());
    return;
  }
  for (const ShippedScenario& shipped : shipped_scenarios()) {
    fmt::print("{:<20} {}\n", shipped.name, shipped.title);
  }
}

int simulate(const SimulateOptions& options, const CommonOptions& common) {
  const auto scenarios = load_scenarios(options.scenario);
  if (!scenarios) return report_error("simulate", scenarios.error());
  const auto laws = find_laws(options.law);
  SimulateResults results{.seeds = options.seeds};
  SimulateProgress progress(common.quiet || common.json,
                            scenarios->size() * options.seeds * laws.size());
  const std::uint64_t start_us = monotonic_us();
  for (const Scenario& scenario : *scenarios) {
    ScenarioResults& of_scenario = results.scenarios.emplace_back(scenario.name);
    for (std::uint64_t seed = options.seed; seed < options.seed + options.seeds; ++seed) {
      for (const LawKind law : laws) {
        progress.begin_run(scenario.name, scenario.duration_s);
        of_scenario.runs.push_back(run_scenario(scenario, seed, law, &progress));
        progress.end_run();
      }
    }
  }
  progress.clear();
  results.wall_s = static_cast<double>(monotonic_us() - start_us) * 1e-6;
  fmt::print("{}", common.json ? simulate_json(results) : simulate_text(results));
  return count_violations(results) == 0 ? kExitDone : kExitNotHeld;
}

/// "kvpsi|avg10|none|all"
std::string law_names() {
  std::string names;
  for (const LawKind law : kLaws) names += fmt::format("{}|", name(law));
  return names + "all";
}

}  // namespace

RunCommand add_simulate(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<SimulateOptions>();
  app.add_option("--scenario", options->scenario, "A shipped scenario, all of them, or a file")
      ->type_name("NAME|all|FILE")
      ->capture_default_str();
  add_number_option(app, "--seeds", options->seeds, 1, 1'000'000, "Runs of each scenario");
  add_number_option(app, "--seed", options->seed, 0, 1'000'000'000, "Seed of the first run");
  app.add_option("--law", options->law, "Which law governs: ours, or what it is compared with")
      ->type_name(law_names())
      ->check([](const std::string& wanted) { return refuse_law(wanted); })
      ->capture_default_str();
  app.add_flag("--list", options->list, "Print the shipped scenarios");
  auto* replay =
      app.add_option("--replay", options->replay.journal, "Decide a recorded journal again")
          ->type_name("JOURNAL");
  app.add_option("--policy-config", options->replay.policy_config,
                 "With these constants instead of the recorded ones (name = value lines)")
      ->type_name("FILE")
      ->needs(replay);
  for (const char* other : {"--scenario", "--seeds", "--seed", "--law", "--list"}) {
    replay->excludes(app.get_option(other));
  }
  return [options, replay, &common] {
    if (replay->count() > 0) return run_replay(options->replay, common);
    if (options->list) return list_scenarios(common.json), static_cast<int>(kExitDone);
    return simulate(*options, common);
  };
}

}  // namespace kvpsi
