// SPDX-License-Identifier: MIT
// CacheLib's law: steps of 5 % between the limits, the cap at 20 %, and taking back.
#include "sim/rival_cachelib.h"

#include <gtest/gtest.h>

#include "support/rival_drive.h"

namespace kvpsi {
namespace {

/// A limit of 1440 MiB: lower 100 MiB, upper 150 MiB, a step 2.5 MiB.
test::RivalDrive<CachelibLaw> make_drive() {
  test::RivalDrive<CachelibLaw> drive;
  drive.limit_bytes = 1440 * kMiB;
  return drive;
}

constexpr double kStep = 2.5 * static_cast<double>(kMiB);

TEST(CachelibLaw, GivesAwayAStepASecondBelowTheLowerLimit) {
  auto drive = make_drive();
  drive.stall = 0.5;
  drive.run(10);
  EXPECT_TRUE(drive.last.actions.empty()) << "stall is nothing to it";
  drive.free_bytes = 50 * kMiB;
  drive.tick();
  EXPECT_TRUE(drive.released());
  EXPECT_NEAR(static_cast<double>(drive.trimmed()), kStep, 2);
  drive.tick(500'000);
  EXPECT_EQ(drive.trimmed(), 0u) << "one iteration a second";
  EXPECT_EQ(drive.last.level, Level::high) << "memory is short all the while";
  drive.tick(500'000);
  EXPECT_NEAR(static_cast<double>(drive.law.advised_bytes()), 2 * kStep, 4);
}

TEST(CachelibLaw, StopsAfterAFifthOfTheCache) {
  auto drive = make_drive();
  for (int i = 0; i < 60; ++i) {
    drive.free_bytes = 0;
    drive.tick();
  }
  // It stops once more than 20 % are gone: the ninth step of 2.5 MiB.
  EXPECT_NEAR(static_cast<double>(drive.law.advised_bytes()), 9 * kStep, 20);
  EXPECT_NEAR(static_cast<double>(drive.kv.live_bytes), 100.0 * kMiB - 9 * kStep, 20);
}

TEST(CachelibLaw, HoldsBetweenTheLimitsAndTakesBackAboveTheUpper) {
  auto drive = make_drive();
  drive.free_bytes = 0;
  drive.run(4);
  const std::uint64_t advised = drive.law.advised_bytes();
  ASSERT_NEAR(static_cast<double>(advised), 4 * kStep, 8);
  drive.free_bytes = 120 * kMiB;
  drive.run(10);
  EXPECT_EQ(drive.law.advised_bytes(), advised);
  drive.kv.live_bytes += 5 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.trimmed(), 5 * kMiB) << "new context pushes out older";
  drive.free_bytes = 200 * kMiB;
  drive.run(2);
  EXPECT_NEAR(static_cast<double>(drive.law.advised_bytes()), 2 * kStep, 8);
  drive.run(10);
  EXPECT_EQ(drive.law.advised_bytes(), 0u);
  drive.kv.live_bytes = 150 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.trimmed(), 0u);
}

TEST(CachelibLaw, KeepsTheFloorAndBoundsNewWorkWhereContextMayNotBeDropped) {
  auto drive = make_drive();
  drive.config.kv_min_bytes = 95 * kMiB;
  drive.free_bytes = 0;
  drive.run(2);
  drive.config.trim_allowed = false;
  drive.free_bytes = 0;
  drive.run(10);
  EXPECT_EQ(drive.kv.live_bytes, 95 * kMiB);
  EXPECT_EQ(drive.trimmed(), 0u);
  EXPECT_EQ(drive.last.kv_budget_bytes, 95 * kMiB);
}

TEST(CachelibLaw, DoesNothingWhilePaused) {
  auto drive = make_drive();
  drive.free_bytes = 0;
  drive.paused = true;
  drive.run(5);
  EXPECT_TRUE(drive.last.actions.empty());
  EXPECT_EQ(drive.law.advised_bytes(), 0u);
}

}  // namespace
}  // namespace kvpsi
