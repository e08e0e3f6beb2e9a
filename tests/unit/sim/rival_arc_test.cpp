// SPDX-License-Identifier: MIT
// The ARC's law: reserve, reap, the size of a step, and how long it may not grow.
#include "sim/rival_arc.h"

#include <gtest/gtest.h>

#include "support/rival_drive.h"

namespace kvpsi {
namespace {

TEST(ArcLaw, KeepsAWatermarkAndAThirtySecondFree) {
  // 4 KiB * sqrt(16 Mi) = 16 MiB, times 7.5, and 512 MiB.
  EXPECT_NEAR(static_cast<double>(arc_sys_free_bytes(16 * kGiB)), (120 + 512) * 1.0 * kMiB, kMiB);
  EXPECT_EQ(arc_sys_free_bytes(0), 128 * kKiB * 15 / 2) << "the watermark is at least 128 KiB";
}

TEST(ArcLaw, HoldsWhileMoreThanTheReserveIsFree) {
  test::RivalDrive<ArcLaw> drive;
  drive.stall = 0.5;
  drive.run(20);
  EXPECT_TRUE(drive.last.actions.empty()) << "stall is nothing to it";
  EXPECT_EQ(drive.law.size_bytes(), 200 * kMiB);
  EXPECT_TRUE(drive.law.may_grow());
}

TEST(ArcLaw, ReapsFirstAndShrinksByTheDeficitAndA128thASecondLater) {
  test::RivalDrive<ArcLaw> drive;
  const std::uint64_t reserve = arc_sys_free_bytes(drive.limit_bytes);
  drive.free_bytes = reserve - 10 * kMiB;
  drive.tick();
  EXPECT_TRUE(drive.released());
  EXPECT_EQ(drive.trimmed(), 0u);
  EXPECT_FALSE(drive.law.may_grow());
  drive.tick(500'000);
  EXPECT_TRUE(drive.last.actions.empty()) << "it waits for what reaping brings";
  EXPECT_EQ(drive.last.level, Level::high) << "memory is short all the while";
  drive.tick(500'000);
  // From the 100 MiB in use, not from the target of 200 MiB.
  EXPECT_EQ(drive.trimmed(), 10 * kMiB + 200 * kMiB / 128);
  EXPECT_EQ(drive.law.size_bytes(), drive.kv.live_bytes);
}

TEST(ArcLaw, HoldsNewContextToItsSizeUntilItMayGrowAgain) {
  test::RivalDrive<ArcLaw> drive;
  drive.free_bytes = arc_sys_free_bytes(drive.limit_bytes) - 10 * kMiB;
  drive.run(2);
  const std::uint64_t size = drive.law.size_bytes();
  drive.free_bytes = 500 * kMiB;
  drive.kv.live_bytes = size + 8 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.trimmed(), 8 * kMiB);
  int seconds = 1;
  while (!drive.law.may_grow() && seconds < 20) drive.tick(), ++seconds;
  EXPECT_GE(seconds, 4) << "arc_grow_retry, 5 s after the last shortage";
  EXPECT_LE(seconds, 6);
  EXPECT_EQ(drive.law.size_bytes(), 200 * kMiB);
}

TEST(ArcLaw, DoesNotGrowWhileLittleMoreThanTheReserveIsFree) {
  test::RivalDrive<ArcLaw> drive;
  drive.free_bytes = arc_sys_free_bytes(drive.limit_bytes) + 200 * kMiB / 32 - 1;
  drive.tick();
  EXPECT_FALSE(drive.law.may_grow());
  EXPECT_TRUE(drive.last.actions.empty());
  drive.free_bytes += 1;
  drive.tick();
  EXPECT_TRUE(drive.law.may_grow());
}

TEST(ArcLaw, KeepsTheFloorAndBoundsNewWorkWhereContextMayNotBeDropped) {
  test::RivalDrive<ArcLaw> drive;
  drive.config.kv_min_bytes = 80 * kMiB;
  drive.free_bytes = 0;
  drive.limit_bytes = 4096 * kMiB;
  drive.run(20);
  EXPECT_EQ(drive.kv.live_bytes, 80 * kMiB);
  drive.config.trim_allowed = false;
  drive.tick();
  EXPECT_EQ(drive.trimmed(), 0u);
  EXPECT_EQ(drive.last.kv_budget_bytes, 80 * kMiB);
}

TEST(ArcLaw, AsksForOneTrimAtATime) {
  test::RivalDrive<ArcLaw> drive;
  drive.obeys = false;
  drive.free_bytes = 0;
  int trims = 0;
  for (int i = 0; i < 20; ++i) {
    drive.tick();
    trims += drive.trimmed() > 0 ? 1 : 0;
  }
  EXPECT_EQ(trims, 1);
}

}  // namespace
}  // namespace kvpsi
