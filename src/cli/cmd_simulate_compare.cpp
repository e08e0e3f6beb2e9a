// SPDX-License-Identifier: MIT
// See cmd_simulate_compare.h.
#include "cli/cmd_simulate_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/printable.h"

namespace kvpsi {
namespace {

/// Below this much stall or loss a ratio would be noise over noise.
constexpr double kLeast = 0.01;

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

/// One law over all scenarios.
struct Row {
  LawKind law = LawKind::kvpsi;
  Ratio stall;
  Ratio given_up;
  double runs = 0, killed = 0, decoded = 0, lost = 0;
};

std::vector<Row> compare(const SimulateResults& results) {
  std::vector<Row> rows;
  for (const LawKind law : kLaws) {
    Row row{.law = law, .stall = {}, .given_up = {}};
    for (const ScenarioResults& scenario : results.scenarios) {
      const auto ours = find_means(scenario, LawKind::kvpsi);
      const auto theirs = find_means(scenario, law);
      if (!ours || !theirs) continue;
      row.runs += theirs->runs;
      row.killed += theirs->killed;
      row.decoded += theirs->decoded;
      row.lost += theirs->lost;
      if (law == LawKind::kvpsi) continue;
      row.stall.add(ours->own_stall_s, theirs->own_stall_s, scenario.name);
      row.given_up.add(ours->given_up_mib_s, theirs->given_up_mib_s, scenario.name);
    }
    if (row.runs > 0) rows.push_back(std::move(row));
  }
  if (rows.size() < 2) rows.clear();
  return rows;
}

std::string ratio_text(const Ratio& ratio) {
  if (ratio.count == 0) return fmt::format("{:>6} {:>7} {:<16}", "-", "-", "");
  const int digits = ratio.worst < 100 ? 2 : 0;
  return fmt::format("{:>6.3f} {:>7.{}f} {:<16}", ratio.mean(), ratio.worst, digits,
                     printable(ratio.worst_name));
}

nlohmann::ordered_json ratio_json(const Ratio& ratio) {
  if (ratio.count == 0) return nullptr;
  return {{"mean", ratio.mean()},
          {"worst", ratio.worst},
          {"worst_scenario", ratio.worst_name},
          {"scenarios", ratio.count}};
}

}  // namespace

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

std::string compare_text(const SimulateResults& results) {
  const std::vector<Row> rows = compare(results);
  if (rows.empty()) return {};
  std::string text = fmt::format("{:<8} {:<31} {:<31} {:>6} {:>8} {:>7}\n", "kvpsi /", "own stall",
                                 "KV given up without need", "runs", "tokens", "tokens");
  text += fmt::format("{:<8} {:>6} {:>7} {:<16} {:>6} {:>7} {:<16} {:>6} {:>8} {:>7}\n", "law",
                      "mean", "worst", "in", "mean", "worst", "in", "killed", "decoded", "lost");
  for (const Row& row : rows) {
    text += fmt::format("{:<8} {} {} {:>6.0f} {:>8.0f} {:>7.0f}\n", name(row.law),
                        ratio_text(row.stall), ratio_text(row.given_up), row.killed, row.decoded,
                        row.lost);
  }
  return text +
         "ratios: ours / theirs, geometric mean where theirs is at least 0.01;\n"
         "tokens: sum over the scenarios of the means of runs\n\n";
}

nlohmann::ordered_json compare_json(const SimulateResults& results) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Row& row : compare(results)) {
    list.push_back({{"law", name(row.law)},
                    {"runs", static_cast<std::uint64_t>(row.runs)},
                    {"runs_killed", static_cast<std::uint64_t>(row.killed)},
                    {"tokens_decoded", row.decoded},
                    {"tokens_lost", row.lost},
                    {"own_stall_ratio", ratio_json(row.stall)},
                    {"kv_given_up_ratio", ratio_json(row.given_up)}});
  }
  return list;
}

}  // namespace kvpsi
