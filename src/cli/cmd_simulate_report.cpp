// SPDX-License-Identifier: MIT
// See cmd_simulate_report.h.
#include "cli/cmd_simulate_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "cli/cmd_simulate_compare.h"

namespace kvpsi {
namespace {

constexpr std::size_t kShownViolations = 20;
std::string repeat_command(const std::string& scenario, const RunReport& run) {
  return fmt::format("kvpsi simulate --scenario {} --seeds 1 --seed {}", shell_word(scenario),
                     run.seed);
}

double simulated_s(const SimulateResults& results) {
  double sum = 0;
  for (const auto& scenario : results.scenarios) {
    for (const RunReport& run : scenario.runs) sum += run.simulated_s;
  }
  return sum;
}

template <class Take>
void for_each_law(const SimulateResults& results, Take&& take) {
  for (const ScenarioResults& scenario : results.scenarios) {
    for (const LawKind law : kLaws) {
      if (const auto means = find_means(scenario, law)) take(scenario, law, *means);
    }
  }
}

bool is_judged(const SimulateResults& results) {
  for (const ScenarioResults& scenario : results.scenarios) {
    if (find_means(scenario, LawKind::kvpsi)) return true;
  }
  return false;
}

std::string violations_text(const SimulateResults& results) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> counts;
  std::string text;
  std::size_t shown = 0;
  for (const ScenarioResults& scenario : results.scenarios) {
    for (const RunReport& run : scenario.runs) {
      for (const Violation& found : run.violations) {
        if (++counts[{scenario.name, found.checker}] > 1 || ++shown > kShownViolations) continue;
        text += fmt::format("{} at {:.1f} s: {}\n    {}\n", found.checker, found.t_s, found.what,
                            repeat_command(scenario.name, run));
      }
    }
  }
  for (const auto& [where, count] : counts) {
    text +=
        fmt::format("{:<20} {:<10} {} violations\n", printable(where.first), where.second, count);
  }
  return text;
}

}  // namespace

std::uint64_t count_violations(const SimulateResults& results) {
  std::uint64_t count = 0;
  for (const auto& scenario : results.scenarios) {
    for (const RunReport& run : scenario.runs) count += run.violations.size();
  }
  return count;
}

std::string simulate_text(const SimulateResults& results) {
  std::string text =
      fmt::format("{:<20} {:<8} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>6}\n", "scenario", "law",
                  "own", "others'", "before 1st", "KV given", "tokens", "tokens", "runs");
  text +=
      fmt::format("{:<20} {:<8} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>6}\n", "means of runs", "",
                  "stall s", "stall s", "action s", "up MiB s", "lost", "decoded", "killed");
  for_each_law(results, [&](const ScenarioResults& scenario, LawKind law, const Means& m) {
    text +=
        fmt::format("{:<20} {:<8} {:>9.2f} {:>9.2f} {:>9.2f} {:>9.0f} {:>8.0f} {:>8.0f} {:>6}\n",
                    printable(scenario.name), name(law), m.own_stall_s, m.others_stall_s,
                    m.before_action_s, m.given_up_mib_s, m.lost, m.decoded, m.killed);
  });
  text += '\n' + compare_text(results);
  const double simulated = simulated_s(results);
  text += fmt::format(
      "{} scenarios x {} seeds, {} violations; {:.0f} s simulated in {:.1f} s, {:.0f} x\n",
      results.scenarios.size(), results.seeds, count_violations(results), simulated, results.wall_s,
      simulated / std::max(results.wall_s, 1e-6));
  if (!is_judged(results)) text += "not judged: only the law kvpsi makes promises\n";
  return text + violations_text(results);
}

std::string simulate_json(const SimulateResults& results) {
  using Json = nlohmann::ordered_json;
  Json json = {{"schema", "kvpsi.simulate/1"}, {"scenarios", results.scenarios.size()},
               {"seeds", results.seeds},       {"simulated_s", simulated_s(results)},
               {"wall_s", results.wall_s},     {"judged", is_judged(results)},
               {"violations", Json::array()},  {"scores", Json::array()}};
  for (const ScenarioResults& scenario : results.scenarios) {
    for (const RunReport& run : scenario.runs) {
      for (const Violation& found : run.violations) {
        json["violations"].push_back({{"scenario", scenario.name},
                                      {"seed", run.seed},
                                      {"checker", found.checker},
                                      {"t_s", found.t_s},
                                      {"what", found.what},
                                      {"repeat", repeat_command(scenario.name, run)}});
      }
    }
  }
  for_each_law(results, [&](const ScenarioResults& scenario, LawKind law, const Means& m) {
    json["scores"].push_back({{"scenario", scenario.name},
                              {"law", name(law)},
                              {"own_stall_s", m.own_stall_s},
                              {"others_stall_s", m.others_stall_s},
                              {"stall_before_action_s", m.before_action_s},
                              {"kv_given_up_mib_s", m.given_up_mib_s},
                              {"tokens_lost", m.lost},
                              {"tokens_decoded", m.decoded},
                              {"runs_killed", m.killed}});
  });
  json["comparison"] = compare_json(results);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string scenarios_json() {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ShippedScenario& shipped : shipped_scenarios()) {
    list.push_back({{"name", shipped.name}, {"title", shipped.title}});
  }
  return list.dump() + '\n';
}

}  // namespace kvpsi
