// SPDX-License-Identifier: MIT
// See cmd_simulate_report.h.
#include "cli/cmd_simulate_report.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/printable.h"

namespace kvpsi {
namespace {

constexpr std::size_t kShownViolations = 20;
/// Below this much stall or loss a ratio would be noise over noise.
constexpr double kLeast = 0.01;

/// Means over the runs of one law in one scenario.
struct Means {
  double runs = 0, own_stall_s = 0, others_stall_s = 0, before_action_s = 0, given_up_mib_s = 0,
         lost = 0, decoded = 0, killed = 0;
};

std::optional<Means> find_means(const ScenarioResults& scenario, LawKind law) {
  Means m;
  for (const RunReport& run : scenario.runs) {
    if (run.law != law) continue;
    m.runs += 1;
    m.own_stall_s += run.score.own_stall_s;
    m.others_stall_s += run.score.others_stall_s;
    m.before_action_s += run.score.stall_before_action_s;
    m.given_up_mib_s += run.score.kv_given_up_mib_s;
    m.lost += static_cast<double>(run.score.tokens_lost);
    m.decoded += static_cast<double>(run.score.tokens_decoded);
    m.killed += run.score.oom_kills > 0 ? 1 : 0;
  }
  if (m.runs == 0) return std::nullopt;
  for (double* sum : {&m.own_stall_s, &m.others_stall_s, &m.before_action_s, &m.given_up_mib_s,
                      &m.lost, &m.decoded}) {
    *sum /= m.runs;
  }
  return m;
}

/// Geometric mean over scenarios of ours / theirs, and the worst.
struct Ratio {
  double log_sum = 0, worst = 0;
  std::uint64_t count = 0;
  std::string worst_name;
  void add(double ours, double theirs, const std::string& scenario) {
    if (theirs < kLeast) return;
    const double ratio = std::max(ours, kLeast) / theirs;
    log_sum += std::log(ratio);
    ++count;
    if (ratio > worst) worst = ratio, worst_name = scenario;
  }
  double mean() const { return std::exp(log_sum / static_cast<double>(count)); }
};

std::string compare(const SimulateResults& results, LawKind rival) {
  Ratio stall;
  Ratio given_up;
  for (const ScenarioResults& scenario : results.scenarios) {
    const auto ours = find_means(scenario, LawKind::kvpsi);
    const auto theirs = find_means(scenario, rival);
    if (!ours || !theirs) return {};
    stall.add(ours->own_stall_s, theirs->own_stall_s, scenario.name);
    given_up.add(ours->given_up_mib_s, theirs->given_up_mib_s, scenario.name);
  }
  std::string text;
  const auto add = [&](const Ratio& ratio, std::string_view what) {
    if (ratio.count == 0) return;
    text += fmt::format(
        "kvpsi / {:<5} {}: geometric mean {:.3f} over {} scenarios, worst {:.2f} ({})\n",
        name(rival), what, ratio.mean(), ratio.count, ratio.worst, printable(ratio.worst_name));
  };
  add(stall, "stall");
  add(given_up, "KV given up without need");
  return text;
}

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
      fmt::format("{:<20} {:<6} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>6}\n", "scenario", "law",
                  "own", "others'", "before 1st", "KV given", "tokens", "tokens", "runs");
  text +=
      fmt::format("{:<20} {:<6} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>6}\n", "means of runs", "",
                  "stall s", "stall s", "action s", "up MiB s", "lost", "decoded", "killed");
  for_each_law(results, [&](const ScenarioResults& scenario, LawKind law, const Means& m) {
    text +=
        fmt::format("{:<20} {:<6} {:>9.2f} {:>9.2f} {:>9.2f} {:>9.0f} {:>8.0f} {:>8.0f} {:>6}\n",
                    printable(scenario.name), name(law), m.own_stall_s, m.others_stall_s,
                    m.before_action_s, m.given_up_mib_s, m.lost, m.decoded, m.killed);
  });
  text += '\n' + compare(results, LawKind::avg10) + compare(results, LawKind::none);
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
