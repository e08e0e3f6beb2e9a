// SPDX-License-Identifier: MIT
// Senpai's law: a probe of 1 % each 6 s without stall, back-off by the square above 10 ms.
#include "sim/rival_senpai.h"

#include <gtest/gtest.h>

#include "support/rival_drive.h"

namespace kvpsi {
namespace {

constexpr double kMib = static_cast<double>(kMiB);

TEST(SenpaiLaw, ProbesByOnePercentEachSixTicks) {
  test::RivalDrive<SenpaiLaw> drive;
  drive.run(6);
  EXPECT_EQ(drive.law.limit_bytes(), 100 * kMiB);
  EXPECT_TRUE(drive.last.actions.empty());
  drive.tick();
  EXPECT_NEAR(static_cast<double>(drive.law.limit_bytes()), 99 * kMib, 1);
  EXPECT_TRUE(drive.released());
  EXPECT_NEAR(static_cast<double>(drive.trimmed()), kMib, 1);
  drive.run(6);
  EXPECT_NEAR(static_cast<double>(drive.law.limit_bytes()), 98.01 * kMib, 1);
}

TEST(SenpaiLaw, BacksOffByTheSquareOfTheExcess) {
  struct Row {
    double stall;   ///< of one second
    double factor;  ///< (stall / 10 ms / 20)^2, at most 1
  };
  for (const Row& row : {Row{0.02, 0.01}, Row{0.1, 0.25}, Row{0.4, 1.0}}) {
    test::RivalDrive<SenpaiLaw> drive;
    drive.kv.live_bytes = drive.kv.resident_bytes = 50 * kMiB;
    drive.run(2);
    drive.stall = row.stall;
    drive.tick();
    EXPECT_NEAR(static_cast<double>(drive.law.limit_bytes()), 50 * kMib * (1 + row.factor), 2)
        << row.stall;
    EXPECT_TRUE(drive.last.actions.empty()) << "pressure never makes it give back";
  }
}

TEST(SenpaiLaw, TakesGrowthOverItsLimitForStall) {
  test::RivalDrive<SenpaiLaw> drive;
  drive.run(3);
  drive.kv.live_bytes = drive.kv.resident_bytes = 120 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.law.limit_bytes(), 200 * kMiB) << "doubled, at most the whole cache";
  EXPECT_EQ(drive.trimmed(), 0u);
}

TEST(SenpaiLaw, KeepsTheFloorAndNeedsPsi) {
  test::RivalDrive<SenpaiLaw> drive;
  drive.config.kv_min_bytes = 98 * kMiB;
  drive.run(60);
  EXPECT_EQ(drive.law.limit_bytes(), 98 * kMiB);
  EXPECT_GE(drive.kv.live_bytes, 98 * kMiB);
  EXPECT_LT(drive.kv.live_bytes, 98 * kMiB + drive.kv.granule_bytes);
  const std::uint64_t live = drive.kv.live_bytes;
  drive.config.kv_min_bytes = 0;
  drive.psi_present = false;
  drive.run(30);
  EXPECT_EQ(drive.kv.live_bytes, live);
}

TEST(SenpaiLaw, OnlyReleasesWhereContextMayNotBeDropped) {
  test::RivalDrive<SenpaiLaw> drive;
  drive.config.trim_allowed = false;
  for (int i = 0; i < 60; ++i) {
    drive.tick();
    EXPECT_EQ(drive.trimmed(), 0u);
    EXPECT_FALSE(drive.last.kv_budget_bytes.has_value());
  }
  EXPECT_LT(drive.law.limit_bytes(), 92 * kMiB) << "it probed";
}

}  // namespace
}  // namespace kvpsi
