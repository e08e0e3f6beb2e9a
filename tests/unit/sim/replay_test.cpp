// SPDX-License-Identifier: MIT
// Replay of runs that the governor made on a small fake machine: the same again, differences by
// field, gaps, other configurations.
#include "sim/replay.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/bytes.h"
#include "govern/governor.h"
#include "support/fake_machine.h"

namespace kvpsi {
namespace {

PolicyConfig trimming() {
  PolicyConfig config;
  config.trim_allowed = true;
  return config;
}

/// 15 s of a squeeze that needs trims.
std::vector<Tick> record(const PolicyConfig& config) {
  return test::record_lossy_squeeze(config, 15'000'000);
}

TEST(Replay, ReproducesEveryDecision) {
  for (const PolicyConfig& config : {PolicyConfig{}, trimming()}) {
    const std::vector<Tick> ticks = record(config);
    ASSERT_GE(ticks.size(), 50u);
    const ReplayReport report = replay(ticks, config);
    EXPECT_TRUE(report.holds());
    EXPECT_EQ(report.reproduced, ticks.size());
    EXPECT_EQ(report.gaps, 0u);
    EXPECT_TRUE(report.differences.empty());
  }
}

TEST(Replay, NamesTheFirstFieldThatDiffers) {
  std::vector<Tick> ticks = record(trimming());
  ticks[5].decision.need_bytes += 7;
  ticks[9].signal.some_fast = 2;
  ticks[12].state_hash ^= 1;
  const ReplayReport report = replay(ticks, trimming());
  EXPECT_FALSE(report.holds());
  EXPECT_EQ(report.compared - report.reproduced, 3u);
  ASSERT_EQ(report.differences.size(), 3u);
  EXPECT_EQ(report.differences[0].decision_id, ticks[5].decision.id);
  EXPECT_EQ(report.differences[0].field, "decision.need_bytes");
  EXPECT_EQ(report.differences[0].recorded, std::to_string(ticks[5].decision.need_bytes));
  EXPECT_EQ(report.differences[0].replayed, std::to_string(ticks[5].decision.need_bytes - 7));
  EXPECT_EQ(report.differences[1].field, "signal.some_fast");
  EXPECT_EQ(report.differences[2].field, "state_hash");
}

TEST(Replay, ComparesNothingAfterLostTicks) {
  std::vector<Tick> ticks = record(trimming());
  const std::uint64_t all = ticks.size();
  ticks.erase(ticks.begin() + 20, ticks.begin() + 23);
  const ReplayReport report = replay(ticks, trimming());
  EXPECT_TRUE(report.holds());
  EXPECT_EQ(report.gaps, 1u);
  EXPECT_EQ(report.compared, 20u);
  EXPECT_EQ(report.after_gap, all - 23);
}

TEST(Replay, StartsAnewWithANewRun) {
  std::vector<Tick> ticks = record(trimming());
  const std::vector<Tick> again = ticks;
  ticks.insert(ticks.end(), again.begin(), again.end());
  const ReplayReport report = replay(ticks, trimming());
  EXPECT_TRUE(report.holds());
  EXPECT_EQ(report.reproduced, ticks.size());
}

TEST(Replay, OtherConfigurationIsNotCompared) {
  const std::vector<Tick> ticks = record(trimming());
  const ReplayReport report = replay(ticks, PolicyConfig{});
  EXPECT_EQ(report.other_config, ticks.size());
  EXPECT_EQ(report.compared, 0u);
  EXPECT_FALSE(report.holds()) << "nothing compared proves nothing";
  EXPECT_FALSE(replay({}, PolicyConfig{}).holds());
}

TEST(Replay, EachTickIsDecidedUnderTheConfigurationInForce) {
  PolicyConfig later = trimming();
  later.blanking_us *= 2;
  std::vector<Tick> ticks = record(trimming());
  const std::size_t change = ticks.size();
  for (const Tick& tick : record(later)) ticks.push_back(tick);
  ConfigTimeline configs = trimming();
  configs.begin_at(change, later);
  const ReplayReport report = replay(ticks, configs);
  EXPECT_TRUE(report.holds());
  EXPECT_EQ(report.reproduced, ticks.size());
  EXPECT_EQ(replay(ticks, trimming()).other_config, ticks.size() - change);
  EXPECT_EQ(replay_otherwise(ticks, configs).changed, 0u);
}

TEST(Replay, ShowsWhatWouldHaveDiffered) {
  const std::vector<Tick> ticks = record(trimming());
  const WhatIf same = replay_otherwise(ticks, trimming());
  EXPECT_EQ(same.changed, 0u);
  EXPECT_GT(same.then.trims, 0u);
  EXPECT_EQ(same.now.trim_bytes_asked, same.then.trim_bytes_asked);
  const WhatIf other = replay_otherwise(ticks, PolicyConfig{});
  EXPECT_GT(other.changed, 0u);
  EXPECT_EQ(other.rows.size(), other.changed);
  EXPECT_EQ(other.now.trims, 0u) << "trimming is off there";
  EXPECT_EQ(other.then.trims, same.then.trims);
}

}  // namespace
}  // namespace kvpsi
