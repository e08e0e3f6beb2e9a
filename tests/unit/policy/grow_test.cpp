// SPDX-License-Identifier: MIT
// The budget of live KV: unbounded at first, cut at once, held, grown in steps, wary after a
// relapse.
#include <gtest/gtest.h>

#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

class GrowTest : public ::testing::Test {
 protected:
  GrowTest() { start(500 * kMiB); }
  /// A machine that has long been as it is: a jump of the usage would itself be pressure.
  void start(std::uint64_t usage_bytes) {
    drive = Driver();
    drive.world.usage_bytes = usage_bytes;
    drive.world.kv.cells_total = 8192;
    drive.world.kv.bytes_per_cell = 32 * kKiB;  // 256 MiB in all
    drive.run(12);
  }
  std::optional<std::uint64_t> budget() const { return drive.log.back().decision.kv_budget_bytes; }
  /// A squeeze that ends: high for a few seconds, then room for everything again.
  void squeeze(double seconds) {
    const std::uint64_t usage_bytes = drive.world.usage_bytes;
    drive.world.usage_bytes = 880 * kMiB;
    drive.world.own_some = 0.3;
    drive.world.limit_hits = 20;
    drive.run(seconds);
    drive.world.own_some = 0;
    drive.world.limit_hits = 0;
    drive.world.usage_bytes = usage_bytes;
  }
  /// Runs until the budget rises, at most that long; seconds it took, or -1.
  double run_until_growth(double seconds_most) {
    const std::uint64_t before = budget().value_or(0);
    for (double t = 0; t < seconds_most; t += 0.1) {
      drive.tick();
      if (!budget() || *budget() > before) return t;
    }
    return -1;
  }
  Driver drive;
};

/// What growth leaves free.
std::uint64_t kept(const Signal& signal) {
  return signal.reserve_low_bytes + (signal.reserve_high_bytes - signal.reserve_low_bytes) / 4;
}

TEST_F(GrowTest, NothingIsBoundedWithoutPressure) {
  EXPECT_FALSE(budget());
  start(950 * kMiB);  // tight, but nobody stalls
  drive.run(5);
  EXPECT_FALSE(budget());
}

TEST_F(GrowTest, HighCutsToWhatIsLiveAtOnce) {
  squeeze(1);
  EXPECT_GE(drive.log.back().decision.level, Level::high);
  EXPECT_EQ(budget(), drive.world.kv.live_bytes);
}

TEST_F(GrowTest, ElevatedLeavesTheHeadroomThatMayBeFilled) {
  start(900 * kMiB);
  drive.world.own_some = 0.06;
  drive.world.limit_hits = 20;
  drive.run(2);
  ASSERT_EQ(drive.log.back().decision.level, Level::elevated);
  const Signal& signal = drive.log.back().signal;
  EXPECT_EQ(budget(), drive.world.kv.live_bytes +
                          static_cast<std::uint64_t>(signal.headroom_bytes) - kept(signal));
}

TEST_F(GrowTest, TheWholeCacheIsBackSoonAfterRelief) {
  squeeze(3);
  const double held_s = run_until_growth(60);
  EXPECT_GE(held_s, 3.9) << "5 s less a fifth";
  EXPECT_LE(held_s, 8.6) << "the window of 2 s, and 5 s and a fifth";
  drive.run(9);
  EXPECT_FALSE(budget()) << "unbounded after eight steps, whatever the level";
}

TEST_F(GrowTest, GrowthStopsWhereTheReserveBegins) {
  squeeze(3);
  drive.world.usage_bytes = 900 * kMiB;
  drive.run(120);
  const Signal& signal = drive.log.back().signal;
  ASSERT_TRUE(budget());
  EXPECT_LE(*budget(), drive.world.kv.live_bytes +
                           static_cast<std::uint64_t>(signal.headroom_bytes) - kept(signal));
  EXPECT_GT(*budget(), drive.world.kv.live_bytes);
}

TEST_F(GrowTest, StallOfALittleForbidsGrowth) {
  squeeze(3);
  drive.world.own_some = 0.0015;
  EXPECT_EQ(run_until_growth(120), -1);
  drive.world.own_some = 0;
  EXPECT_NE(run_until_growth(120), -1);
}

TEST_F(GrowTest, GrowthThatWasUndoneWaitsAMinute) {
  squeeze(3);
  ASSERT_NE(run_until_growth(60), -1);
  drive.run(3);
  squeeze(2);
  EXPECT_EQ(budget(), drive.world.kv.live_bytes) << "the step is undone";
  const double held_s = run_until_growth(200);
  EXPECT_GE(held_s, 57.9) << "a minute from the cut";
  EXPECT_LE(held_s, 72.1) << "and a fifth at most";
}

TEST_F(GrowTest, ASizeThatHurtWhileInUseIsRememberedAndApproachedWarily) {
  squeeze(3);
  ASSERT_NE(run_until_growth(60), -1);
  drive.run(3);
  const std::uint64_t hurt = budget().value();
  const std::uint64_t live_bytes = drive.world.kv.live_bytes;
  drive.world.kv.live_bytes = hurt;
  squeeze(2);
  EXPECT_EQ(drive.state.bad_bytes, hurt);
  drive.world.kv.live_bytes = live_bytes;
  drive.state.budget_bytes = live_bytes;
  drive.tick();
  ASSERT_NE(run_until_growth(200), -1);
  while (*budget() < hurt * 3 / 4) ASSERT_NE(run_until_growth(2), -1);
  EXPECT_LE(*budget(), hurt * 3 / 4 + 2 * 256 * kMiB / 100) << "fast up to three quarters only";
  const std::uint64_t before = *budget();
  drive.run(3.05);
  EXPECT_GT(*budget(), before);
  EXPECT_LE(*budget() - before, 4 * 2 * 256 * kMiB / 100) << "then two percent a second";
}

TEST_F(GrowTest, ASizeThatNobodyFilledIsNotToBlame) {
  squeeze(3);
  ASSERT_NE(run_until_growth(60), -1);
  drive.run(2.5);
  ASSERT_TRUE(budget());
  ASSERT_GT(budget(), drive.world.kv.live_bytes * 4 / 3);
  squeeze(2);
  EXPECT_EQ(drive.state.bad_bytes, 0u);
}

TEST_F(GrowTest, ALittleMoreRoomIsNotWorthATurn) {
  squeeze(3);
  drive.world.usage_bytes = 952 * kMiB;  // 10 MiB more than growth leaves free
  EXPECT_EQ(run_until_growth(60), -1);
  drive.world.kv.waiting_bytes = 5 * kMiB;
  EXPECT_NE(run_until_growth(5), -1) << "but work waits for just that";
}

TEST_F(GrowTest, OneRequestAtATimeGetsThrough) {
  drive.world.kv.live_bytes = 0;
  squeeze(3);
  EXPECT_EQ(budget(), 256 * kMiB / 16);
}

TEST_F(GrowTest, PlentyOfHeadroomIsNotCutForTheStallOfOthers) {
  drive.world.kv.cells_total = 32 * 1024;  // 1 GiB in all
  drive.world.own_some = 0.3;
  drive.world.limit_hits = 20;
  drive.run(2);
  EXPECT_GE(drive.log.back().decision.level, Level::high);
  EXPECT_GT(budget(), drive.world.kv.live_bytes + 300 * kMiB);
}

TEST_F(GrowTest, TheFloorIsLeft) {
  drive.config.kv_min_bytes = 150 * kMiB;
  squeeze(2);
  EXPECT_EQ(budget(), 150 * kMiB);
}

TEST_F(GrowTest, WithoutAKvPoolThereIsNoBudget) {
  drive.world.kv.kind = PoolKind::prompt_cache;
  squeeze(2);
  EXPECT_FALSE(budget());
}

}  // namespace
}  // namespace kvpsi
