// SPDX-License-Identifier: MIT
// The comparison of laws: geometric means, the worst scenario, sums, and what is left out.
#include "cli/cmd_simulate_compare.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace kvpsi {
namespace {

RunReport make_run(LawKind law, double stall_s, double given_up, std::uint64_t kills,
                   std::uint64_t decoded) {
  return RunReport{.seed = 1,
                   .law = law,
                   .score = {.own_stall_s = stall_s,
                             .kv_given_up_mib_s = given_up,
                             .tokens_lost = 7,
                             .tokens_decoded = decoded,
                             .oom_kills = kills},
                   .violations = {}};
}

/// Stall ratios against arc: 1/4 in "one", 4 in "two", left out in "three".
SimulateResults example() {
  SimulateResults results{.seeds = 2, .wall_s = 1, .scenarios = {}};
  auto& one = results.scenarios.emplace_back("one").runs;
  one = {make_run(LawKind::kvpsi, 1, 10, 0, 100), make_run(LawKind::kvpsi, 3, 30, 0, 300),
         make_run(LawKind::arc, 8, 40, 1, 50), make_run(LawKind::arc, 8, 40, 2, 50)};
  results.scenarios.emplace_back("two").runs = {make_run(LawKind::kvpsi, 2, 5, 0, 10),
                                                make_run(LawKind::arc, 0.5, 0, 0, 20)};
  results.scenarios.emplace_back("three").runs = {make_run(LawKind::kvpsi, 1, 5, 0, 1),
                                                  make_run(LawKind::arc, 0, 0, 0, 2)};
  return results;
}

TEST(SimulateCompare, TakesGeometricMeansAndTheWorst) {
  const auto json = compare_json(example());
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["law"], "kvpsi");
  EXPECT_TRUE(json[0]["own_stall_ratio"].is_null());
  EXPECT_DOUBLE_EQ(json[0]["tokens_decoded"], 200 + 10 + 1);
  const auto& arc = json[1];
  EXPECT_EQ(arc["law"], "arc");
  EXPECT_NEAR(arc["own_stall_ratio"]["mean"].get<double>(), 1.0, 1e-12);
  EXPECT_DOUBLE_EQ(arc["own_stall_ratio"]["worst"], 4);
  EXPECT_EQ(arc["own_stall_ratio"]["worst_scenario"], "two");
  EXPECT_EQ(arc["own_stall_ratio"]["scenarios"], 2) << "where they have none there is no ratio";
  EXPECT_DOUBLE_EQ(arc["kv_given_up_ratio"]["mean"], 0.5);
  EXPECT_EQ(arc["kv_given_up_ratio"]["scenarios"], 1);
  EXPECT_EQ(arc["runs"], 4);
  EXPECT_EQ(arc["runs_killed"], 2) << "runs, not kills";
  EXPECT_DOUBLE_EQ(arc["tokens_decoded"], 50 + 20 + 2);
  EXPECT_DOUBLE_EQ(arc["tokens_lost"], 3 * 7);
}

TEST(SimulateCompare, PrintsARowALawInAHundredColumns) {
  SimulateResults results = example();
  results.scenarios[0].runs.push_back(make_run(LawKind::cachelib, 8, 40, 0, 10'000'000));
  std::istringstream text(compare_text(results));
  std::string all;
  for (std::string line; std::getline(text, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    all += line + '\n';
  }
  EXPECT_NE(all.find("\narc       1.000    4.00 two               0.500    0.50 one"),
            std::string::npos)
      << all;
  EXPECT_NE(all.find("\ncachelib "), std::string::npos);
  EXPECT_EQ(all.find("\navg10"), std::string::npos) << "it did not run";
}

TEST(SimulateCompare, IsEmptyWhereThereIsNothingToCompare) {
  SimulateResults results{.seeds = 1, .wall_s = 1, .scenarios = {}};
  results.scenarios.emplace_back("one").runs = {make_run(LawKind::kvpsi, 1, 1, 0, 1)};
  EXPECT_EQ(compare_text(results), "");
  EXPECT_TRUE(compare_json(results).empty());
  results.scenarios[0].runs = {make_run(LawKind::arc, 1, 1, 0, 1),
                               make_run(LawKind::none, 1, 1, 0, 1)};
  EXPECT_EQ(compare_text(results), "") << "ours did not run";
}

}  // namespace
}  // namespace kvpsi
