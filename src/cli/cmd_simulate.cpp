// SPDX-License-Identifier: MIT
// `kvpsi simulate`: the governor on synthetic machines, over scenarios and seeds, judged and
// scored. Next hops: sim/run.h, cmd_simulate_report.h (how it looks), cmd_simulate_replay.h
// (recorded runs).
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cli/cmd_simulate_progress.h"
#include "cli/cmd_simulate_record.h"
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
  bool is_law_given = false;
  bool list = false;
  RecordOptions record;
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

/// Why --journal or --plot cannot be served; empty: they can.
std::string refuse_record(const SimulateOptions& options) {
  const std::string what = options.record.plot.empty() ? "--journal" : "--plot";
  if (options.scenario == "all") return what + " is of one run: name one --scenario";
  if (options.seeds != 1) {
    return fmt::format("{} is of one run: --seeds {} makes more, name one --seed", what,
                       options.seeds);
  }
  if (options.record.plot.empty() && options.law != name(LawKind::kvpsi)) {
    return fmt::format("--journal records the law kvpsi, which replay and explain know, not '{}'",
                       options.law);
  }
  return {};
}

/// Which laws run. A plot compares: with the law that was named, or with the two plainest.
std::vector<LawKind> choose_laws(const SimulateOptions& options) {
  std::vector<LawKind> laws = find_laws(options.law);
  if (options.record.plot.empty()) return laws;
  if (!options.is_law_given) return {LawKind::kvpsi, LawKind::avg10, LawKind::none};
  if (laws.front() != LawKind::kvpsi) laws.insert(laws.begin(), LawKind::kvpsi);
  return laws;
}

/// Runs everything; `record` listens, nullptr: nobody.
SimulateResults run_all(const SimulateOptions& options, const CommonOptions& common,
                        const std::vector<Scenario>& scenarios, SimulateRecord* record) {
  const auto laws = choose_laws(options);
  SimulateResults results{.seeds = options.seeds, .wall_s = 0, .scenarios = {}};
  SimulateProgress progress(common.quiet || common.json,
                            scenarios.size() * options.seeds * laws.size());
  const std::uint64_t start_us = monotonic_us();
  for (const Scenario& scenario : scenarios) {
    ScenarioResults& of_scenario = results.scenarios.emplace_back(scenario.name);
    for (std::uint64_t seed = options.seed; seed < options.seed + options.seeds; ++seed) {
      for (const LawKind law : laws) {
        progress.begin_run(scenario.name, scenario.duration_s,
                           record != nullptr ? record->sink(law) : nullptr);
        of_scenario.runs.push_back(run_scenario(
            scenario, seed, law, &progress, record != nullptr ? record->watcher(law) : nullptr));
        progress.end_run();
      }
    }
  }
  results.wall_s = static_cast<double>(monotonic_us() - start_us) * 1e-6;
  return results;
}

int simulate(const SimulateOptions& options, const CommonOptions& common) {
  if (options.record.wanted()) {
    if (const std::string why = refuse_record(options); !why.empty()) {
      print_error("simulate", why);
      return kExitUsage;
    }
  }
  const auto scenarios = load_scenarios(options.scenario);
  if (!scenarios) return report_error("simulate", scenarios.error());
  std::unique_ptr<SimulateRecord> record;
  if (options.record.wanted()) {
    RecordOptions files = options.record;
    if (!is_shipped_scenario(options.scenario)) files.scenario_file = options.scenario;
    auto opened = SimulateRecord::open(files, scenarios->front(), options.seed);
    if (!opened) return report_error("simulate", opened.error());
    record = std::move(*opened);
  }
  const SimulateResults results = run_all(options, common, *scenarios, record.get());
  fmt::print("{}", common.json ? simulate_json(results) : simulate_text(results));
  if (record != nullptr) {
    const auto ended = record->finish(results.scenarios.front());
    if (!ended) return report_error("simulate", ended.error());
  }
  return count_violations(results) == 0 ? kExitDone : kExitNotHeld;
}

/// The names of all laws, and "all", with bars between them.
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
  auto* seeds =
      add_number_option(app, "--seeds", options->seeds, 1, 1'000'000, "Runs of each scenario");
  add_number_option(app, "--seed", options->seed, 0, 1'000'000'000, "Seed of the first run");
  auto* law =
      app.add_option("--law", options->law, "Which law governs: ours, or what it is compared with");
  law->type_name(law_names())
      ->check([](const std::string& wanted) { return refuse_law(wanted); })
      ->capture_default_str();
  auto* list = app.add_flag("--list", options->list, "Print the shipped scenarios");
  // One run's files are no settings: KVPSI_JOURNAL is meant for `kvpsi run`.
  app.add_option("--journal", options->record.journal,
                 "Record the one run (--seeds 1) for --replay and `kvpsi explain`")
      ->type_name("FILE")
      ->configurable(false)
      ->excludes(list);
  app.add_option("--plot", options->record.plot,
                 "Draw the one run beside avg10 and none, or beside --law, with gnuplot")
      ->type_name("FILE.svg|.png")
      ->configurable(false)
      ->excludes(list);
  auto* replay =
      app.add_option("--replay", options->replay.journal, "Decide a recorded journal again")
          ->type_name("JOURNAL");
  app.add_option("--policy-config", options->replay.policy_config,
                 "With these constants instead of the recorded ones (name = value lines)")
      ->type_name("FILE")
      ->needs(replay);
  for (const char* other :
       {"--scenario", "--seeds", "--seed", "--law", "--list", "--journal", "--plot"}) {
    replay->excludes(app.get_option(other));
  }
  return [options, replay, seeds, law, &common] {
    options->is_law_given = law->count() > 0;
    if (options->record.wanted() && seeds->count() == 0) options->seeds = 1;
    if (replay->count() > 0) return run_replay(options->replay, common);
    if (options->list) return list_scenarios(common.json), static_cast<int>(kExitDone);
    return simulate(*options, common);
  };
}

}  // namespace kvpsi
