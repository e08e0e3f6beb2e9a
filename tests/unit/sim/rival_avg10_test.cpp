// SPDX-License-Identifier: MIT
// The naive law and the one that does nothing: when they act and by how much.
#include "sim/rival_avg10.h"

#include <gtest/gtest.h>

#include "sim/rival_none.h"
#include "support/rival_drive.h"

namespace kvpsi {
namespace {

TEST(Avg10Law, TrimsAQuarterOnceTheAverageReachesTenPercent) {
  test::RivalDrive<Avg10Law> drive;
  drive.run(10);
  EXPECT_EQ(drive.kv.live_bytes, 100 * kMiB) << "without stall it holds";
  drive.stall = 0.5;
  int seconds = 0;
  while (drive.trimmed() == 0 && seconds < 10) drive.tick(), ++seconds;
  // 0.5 * (1 - exp(-t / 10 s)) >= 0.1 from 2.23 s on; the average moves every 2 s.
  EXPECT_GE(seconds, 3);
  EXPECT_LE(seconds, 4);
  EXPECT_EQ(drive.trimmed(), 25 * kMiB);
}

TEST(Avg10Law, GoesOnLongAfterRelief) {
  test::RivalDrive<Avg10Law> drive;
  drive.stall = 0.5;
  drive.run(20);
  drive.stall = 0;
  int seconds = 0;
  while (drive.tick().level == Level::high && seconds < 60) ++seconds;
  EXPECT_GE(seconds, 12) << "the average decays with 10 s";
  EXPECT_LE(seconds, 18);
}

TEST(Avg10Law, KeepsTheFloorAndObeysTrimOff) {
  test::RivalDrive<Avg10Law> drive;
  drive.stall = 0.5;
  drive.config.kv_min_bytes = 90 * kMiB;
  drive.run(30);
  EXPECT_EQ(drive.kv.live_bytes, 90 * kMiB);
  drive.config.kv_min_bytes = 0;
  drive.config.trim_allowed = false;
  drive.run(10);
  EXPECT_EQ(drive.kv.live_bytes, 90 * kMiB);
}

TEST(NoneLaw, NeverActs) {
  test::RivalDrive<NoneLaw> drive;
  drive.stall = 0.9;
  drive.free_bytes = 0;
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(drive.tick().actions.empty());
    EXPECT_FALSE(drive.last.kv_budget_bytes.has_value());
  }
  EXPECT_EQ(drive.state.decisions, 20u);
}

}  // namespace
}  // namespace kvpsi
