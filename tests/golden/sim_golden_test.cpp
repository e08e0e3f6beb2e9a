// SPDX-License-Identifier: MIT
// The golden journals of simulated runs: the law decides today what it decided when they were made.
// After a change on purpose, scripts/update_golden.sh makes them anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/small_file.h"
#include "journal/reader.h"
#include "journal/tick_json.h"
#include "sim/replay.h"
#include "sim/run.h"

namespace kvpsi {
namespace {

const std::string kFolder = std::string(KVPSI_SOURCE_DIR) + "/tests/golden";

class TickList final : public EventSink {
 public:
  void on_tick(const Tick& tick) override { ticks.push_back(tick); }
  std::vector<Tick> ticks;
};

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".json" && stem.starts_with("sim-")) names.push_back(stem);
  }
  std::ranges::sort(names);
  return names;
}

/// What the law saw and made of it, without what the run cost this machine.
std::string decided(Tick tick) {
  tick.cost_us = 0;
  return tick_to_json(tick);
}

class SimGolden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto journal = read_journal(kFolder + "/" + GetParam() + ".jsonl");
    ASSERT_TRUE(journal) << describe(journal.error()) << "; run scripts/update_golden.sh";
    journal_ = *std::move(journal);
  }
  Journal journal_;
};

TEST_P(SimGolden, ReplayIsExact) {
  ASSERT_EQ(journal_.configs.changes().size(), 1u);
  const ReplayReport report = replay(journal_.ticks, journal_.configs);
  EXPECT_TRUE(report.holds());
  EXPECT_EQ(report.reproduced, journal_.ticks.size());
  for (const ReplayDifference& d : report.differences) {
    ADD_FAILURE() << "decision " << d.decision_id << ": " << d.field << " was " << d.recorded
                  << ", is now " << d.replayed << "; meant? then run scripts/update_golden.sh";
  }
}

TEST_P(SimGolden, TheSameRunDecidesTheSame) {
  const std::string path = kFolder + "/" + GetParam() + ".json";
  const auto text = read_named_file(path);
  ASSERT_TRUE(text) << describe(text.error());
  const auto scenario = parse_scenario(*text, path);
  ASSERT_TRUE(scenario) << describe(scenario.error());
  TickList list;
  run_scenario(*scenario, 1, LawKind::kvpsi, &list);
  EXPECT_EQ(make_policy_config(*scenario), *journal_.configs.at(0));
  ASSERT_EQ(list.ticks.size(), journal_.ticks.size()) << "meant? then run scripts/update_golden.sh";
  for (std::size_t i = 0; i < list.ticks.size(); ++i) {
    ASSERT_EQ(decided(list.ticks[i]), decided(journal_.ticks[i]))
        << "meant? then run scripts/update_golden.sh";
  }
}

TEST_P(SimGolden, IsSmallAndActs) {
  EXPECT_LT(std::filesystem::file_size(kFolder + "/" + GetParam() + ".jsonl"), 200'000u);
  const auto acts = [](const Tick& tick) { return !tick.decision.actions.empty(); };
  EXPECT_TRUE(std::ranges::any_of(journal_.ticks, acts));
}

INSTANTIATE_TEST_SUITE_P(Journals, SimGolden, testing::ValuesIn(golden_names()),
                         [](const testing::TestParamInfo<std::string>& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(SimGoldenFolder, HoldsFiveScenarios) { EXPECT_GE(golden_names().size(), 5u); }

}  // namespace
}  // namespace kvpsi
