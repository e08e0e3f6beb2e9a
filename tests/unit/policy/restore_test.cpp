// SPDX-License-Identifier: MIT
// The way back: when, in which steps, how far, and what stops it.
#include "policy/restore.h"

#include <gtest/gtest.h>

#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

constexpr std::uint64_t kFullBytes = 8192 * 32 * kKiB;  // 256 MiB

/// Nothing is short: 500 MiB free, of which 60 are the upper reserve.
Driver with_disk(std::uint64_t spilled, std::uint64_t trimmed) {
  Driver drive;
  drive.config.trim_allowed = true;
  drive.world.kv.cells_total = 8192;
  drive.world.kv.bytes_per_cell = 32 * kKiB;
  drive.world.kv.cells_live = (100 * kMiB + spilled - trimmed) / (32 * kKiB);
  drive.world.kv.spilled_bytes = spilled;
  drive.world.kv.trimmed_bytes = trimmed;
  drive.run(2);
  EXPECT_EQ(drive.count(Verb::restore), 0u) << "not before a whole window has been seen";
  return drive;
}

void press(Driver& drive, double seconds) {
  drive.world.own_some = drive.world.own_full = 0.5;
  drive.world.limit_hits = 200;
  drive.run(seconds);
  drive.world.own_some = drive.world.own_full = 0;
  drive.world.limit_hits = 0;
}

TEST(Restore, ComesInStepsOneAtATime) {
  Driver drive = with_disk(60 * kMiB, 0);
  std::vector<std::uint64_t> steps;
  for (int i = 0; i < 60; ++i) {
    const Decision& decision = drive.tick().decision;
    if (drive.asked(Verb::restore) == 0) continue;
    EXPECT_EQ(decision.reason, Reason::restore);
    steps.push_back(drive.asked(Verb::restore));
    drive.answer();
  }
  EXPECT_EQ(steps, (std::vector<std::uint64_t>{32 * kMiB, 28 * kMiB}));
  EXPECT_EQ(drive.world.kv.spilled_bytes, 0u);
}

TEST(Restore, AQueuedOneHoldsTheNext) {
  Driver drive = with_disk(60 * kMiB, 0);
  drive.tick();
  ASSERT_GT(drive.asked(Verb::restore), 0u);
  drive.answer_empty(Verb::restore, Status::queued);
  drive.run(30);
  EXPECT_EQ(drive.count(Verb::restore), 1u);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::in_flight);
}

TEST(Restore, NeverWithinTheHoldAfterPressure) {
  Driver drive = with_disk(60 * kMiB, 20 * kMiB);
  drive.config.trim_allowed = false;
  drive.answer_empty(Verb::restore, Status::done);
  press(drive, 3);
  const std::size_t from = drive.log.size();
  drive.run(4);
  EXPECT_EQ(drive.count(Verb::restore), 0u);
  drive.run(6);
  EXPECT_GE(drive.count(Verb::restore, from), 1u);
}

TEST(Restore, EndsAtTheUpperReserve) {
  Driver drive = with_disk(200 * kMiB, 200 * kMiB);
  drive.world.usage_bytes = 900 * kMiB;  // 100 left, 60 are the upper reserve
  for (int i = 0; i < 300; ++i) {
    drive.tick();
    drive.answer();
  }
  EXPECT_LE(drive.world.usage_bytes, 940 * kMiB);
  EXPECT_GE(drive.world.usage_bytes, 938 * kMiB);
  EXPECT_EQ(drive.world.kv.spilled_bytes, drive.world.kv.trimmed_bytes);
}

TEST(Restore, IdleRowsGetWhatTheBudgetLeavesThem) {
  Driver drive = with_disk(60 * kMiB, 0);
  drive.kv_soft_max_bytes = 110 * kMiB;
  for (int i = 0; i < 50; ++i) {
    drive.tick();
    drive.answer();
  }
  EXPECT_EQ(drive.world.kv.live_bytes, 110 * kMiB);
}

TEST(Restore, WorkThatWaitsGoesBeforeIdleRows) {
  Driver drive = with_disk(60 * kMiB, 0);
  drive.kv_soft_max_bytes = 120 * kMiB;
  drive.world.kv.waiting_bytes = 15 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.asked(Verb::restore), 5 * kMiB);
}

TEST(Restore, SpansOfRunningContextsComeBeforeGrowth) {
  Driver drive = with_disk(80 * kMiB, 80 * kMiB);
  drive.config.trim_allowed = false;
  drive.world.usage_bytes = 960 * kMiB;
  press(drive, 2);
  ASSERT_TRUE(drive.state.is_bounded);
  drive.world.usage_bytes = 600 * kMiB;
  while (drive.count(Verb::restore) == 0 && drive.log.size() < 400) drive.tick();
  ASSERT_GT(drive.asked(Verb::restore), 0u);
  const std::uint64_t budget = drive.state.budget_bytes;
  while (drive.world.kv.trimmed_bytes > 0 && drive.log.size() < 800) {
    EXPECT_EQ(drive.state.budget_bytes, budget);
    drive.answer();
    drive.tick();
  }
  drive.run(15);
  EXPECT_FALSE(drive.state.is_bounded);
}

TEST(Restore, SpansThatCannotComeBackDoNotHoldGrowthUp) {
  Driver drive = with_disk(80 * kMiB, 80 * kMiB);
  drive.config.trim_allowed = false;
  drive.world.usage_bytes = 960 * kMiB;
  press(drive, 2);
  ASSERT_TRUE(drive.state.is_bounded);
  drive.world.usage_bytes = 600 * kMiB;
  for (int i = 0; i < 300; ++i) {
    drive.tick();
    drive.answer_empty(drive.asked(Verb::restore) > 0 ? Verb::restore : Verb::trim, Status::failed);
  }
  EXPECT_FALSE(drive.state.is_bounded);
  EXPECT_LE(drive.count(Verb::restore), 7u) << "holds become longer";
}

TEST(Restore, SpansNeedFreeCells) {
  Driver drive = with_disk(80 * kMiB, 80 * kMiB);
  drive.world.kv.cells_live = 8192 - 320;
  drive.tick();
  EXPECT_EQ(drive.asked(Verb::restore), 10 * kMiB);
}

TEST(Restore, UndoneItWaitsAMinute) {
  Driver drive = with_disk(60 * kMiB, 0);
  drive.tick();
  ASSERT_GT(drive.asked(Verb::restore), 0u);
  drive.answer();
  drive.run(1);
  drive.world.kv.spillable_bytes = 80 * kMiB;
  drive.world.usage_bytes += 500 * kMiB;  // somebody comes
  drive.world.own_some = drive.world.own_full = 0.5;
  drive.world.limit_hits = 200;
  while (drive.asked(Verb::spill) == 0 && drive.log.size() < 100) drive.tick();
  ASSERT_GT(drive.asked(Verb::spill), 0u);
  drive.answer();
  const std::uint64_t undone_us = drive.now_us;
  drive.world.own_some = drive.world.own_full = 0;
  drive.world.limit_hits = 0;
  drive.world.usage_bytes = 400 * kMiB;
  drive.tick();
  const std::size_t from = drive.log.size();
  while (drive.count(Verb::restore, from) == 0 && drive.log.size() < 2000) drive.tick();
  EXPECT_GE(drive.now_us - undone_us, 60'000'000u);
  EXPECT_LE(drive.now_us - undone_us, 75'000'000u);
}

TEST(Restore, TheFirstAfterAStepWantsRoomForTwo) {
  Driver drive = with_disk(0, 0);
  drive.world.kv.spillable_bytes = 80 * kMiB;
  drive.world.usage_bytes += 500 * kMiB;  // somebody comes
  drive.world.own_some = drive.world.own_full = 0.5;
  drive.world.limit_hits = 200;
  while (drive.asked(Verb::spill) == 0 && drive.log.size() < 100) drive.tick();
  ASSERT_GT(drive.asked(Verb::spill), 0u);
  drive.answer();
  const std::uint64_t stepped_us = drive.now_us;
  drive.world.own_some = drive.world.own_full = 0;
  drive.world.limit_hits = 0;
  drive.world.usage_bytes = 890 * kMiB;  // 50 MiB up to the upper reserve, a step has 32
  ASSERT_GT(drive.world.kv.spilled_bytes, 50 * kMiB);
  drive.run(40);
  EXPECT_EQ(drive.count(Verb::restore), 0u) << "beside the neighbour it would not last";
  while (drive.count(Verb::restore) == 0 && drive.log.size() < 2000) drive.tick();
  EXPECT_GE(drive.now_us - stepped_us, 60'000'000u) << "who stays that long has to be lived with";
  EXPECT_LE(drive.now_us - stepped_us, 75'000'000u);
}

TEST(Restore, TheSizeThatHurtIsApproachedCarefully) {
  Driver drive = with_disk(100 * kMiB, 100 * kMiB);
  drive.tick();
  ASSERT_EQ(drive.asked(Verb::restore), 32 * kMiB);
  drive.answer();
  drive.tick();
  drive.outcomes.clear();
  drive.world.usage_bytes += 410 * kMiB;
  drive.world.own_some = drive.world.own_full = 0.5;
  drive.world.limit_hits = 200;
  for (int i = 0; i < 30; ++i) {
    drive.tick();
    drive.answer();
  }
  EXPECT_EQ(drive.state.bad_bytes, 132 * kMiB);
  const std::uint64_t left = drive.world.kv.live_bytes;
  ASSERT_LT(left, 132 * kMiB * 3 / 4);
  drive.world.own_some = drive.world.own_full = 0;
  drive.world.limit_hits = 0;
  drive.world.usage_bytes -= 410 * kMiB;
  drive.world.kv.spilled_bytes = drive.world.kv.trimmed_bytes = 100 * kMiB;
  std::size_t careful = 0;
  while (careful < 3 && drive.log.size() < 2000) {
    const std::uint64_t live = drive.world.kv.live_bytes;
    drive.tick();
    if (const std::uint64_t step = drive.asked(Verb::restore); step > 0) {
      if (live < 99 * kMiB) EXPECT_LE(live + step, 100 * kMiB);
      if (live >= 99 * kMiB) EXPECT_LE(step, kFullBytes / 49);
      careful += live >= 99 * kMiB;
    }
    drive.answer();
  }
  EXPECT_EQ(careful, 3u);
}

TEST(Restore, NothingWhilePaused) {
  Driver drive = with_disk(60 * kMiB, 60 * kMiB);
  drive.paused = true;
  drive.run(5);
  EXPECT_EQ(drive.count(Verb::restore), 0u);
}

TEST(Restore, NotBackOverTheCapThatTookIt) {
  Driver drive = with_disk(20 * kMiB, 20 * kMiB);
  drive.config.kv_max_bytes = 104 * kMiB;
  drive.world.kv.live_bytes = 98 * kMiB;
  drive.run(10);
  EXPECT_EQ(drive.count(Verb::restore), 0u) << "two slacks, 13 MiB, stay free";
}

}  // namespace
}  // namespace kvpsi
