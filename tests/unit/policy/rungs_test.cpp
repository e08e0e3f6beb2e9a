// SPDX-License-Identifier: MIT
// Spill before compaction before trims: what each rung is asked for, and what it waits for.
#include "policy/rungs.h"

#include <gtest/gtest.h>

#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

PolicyConfig trimming() {
  PolicyConfig config;
  config.trim_allowed = true;
  config.others_max_reserves = 0;
  config.disk_step_bytes = kGiB;
  return config;
}

/// Our own group at a cliff, 20 MiB short of a limit whose upper reserve is 60 MiB, with idle rows.
Driver at_cliff(std::uint64_t spillable, const PolicyConfig& config = trimming()) {
  Driver drive(config);
  drive.world.usage_bytes = drive.world.limit_bytes + 20 * kMiB;
  drive.world.kv.live_bytes = drive.world.kv.resident_bytes = 150 * kMiB;
  drive.world.kv.trimmable_bytes = 140 * kMiB;
  drive.world.kv.spillable_bytes = spillable;
  drive.run(3);
  drive.world.own_some = 0.5;
  drive.world.own_full = 0.4;
  drive.world.limit_hits = 200;
  return drive;
}

constexpr std::uint64_t kNeed = 80 * kMiB;

void queue(Driver& drive, Verb verb) { drive.answer_empty(verb, Status::queued); }

TEST(Rungs, IdleRowsCoverTheNeedAndNoContextIsTaken) {
  Driver drive = at_cliff(100 * kMiB);
  drive.tick();
  EXPECT_NEAR(static_cast<double>(drive.asked(Verb::spill)), kNeed, kMiB);
  EXPECT_EQ(drive.asked(Verb::spill) % drive.world.kv.granule_bytes, 0u);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::need);
  drive.answer();
  drive.world.own_some = drive.world.own_full = 0;
  drive.run(20);
  EXPECT_EQ(drive.trims(), 0u);
  EXPECT_EQ(drive.count(Verb::spill), 1u);
}

TEST(Rungs, ATrimTakesOnlyWhatSpillAndCompactionCannotGive) {
  Driver drive = at_cliff(30 * kMiB);
  drive.world.kv.compactable_bytes = 10 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.asked(Verb::spill), 30 * kMiB);
  EXPECT_EQ(drive.asked(Verb::compact), 10 * kMiB);
  EXPECT_NEAR(static_cast<double>(drive.asked(Verb::trim)), kNeed - 40 * kMiB, kMiB);
}

TEST(Rungs, AFewScatteredPagesAreNotWorthACompaction) {
  Driver drive = at_cliff(0);
  drive.world.kv.compactable_bytes = 7 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.asked(Verb::compact), 0u) << "less than a tenth of the need";
  EXPECT_NEAR(static_cast<double>(drive.asked(Verb::trim)), kNeed, kMiB);
}

TEST(Rungs, CompactionIsNotNeededWhereSpillingSuffices) {
  Driver drive = at_cliff(100 * kMiB);
  drive.world.kv.compactable_bytes = 50 * kMiB;
  drive.tick();
  EXPECT_GT(drive.asked(Verb::spill), 0u);
  EXPECT_EQ(drive.asked(Verb::compact), 0u);
}

TEST(Rungs, SpillsAlsoWhereTrimsAreForbidden) {
  Driver drive = at_cliff(30 * kMiB, PolicyConfig{});
  drive.tick();
  EXPECT_EQ(drive.asked(Verb::spill), 30 * kMiB);
  drive.answer();
  drive.run(3);
  EXPECT_EQ(drive.trims(), 0u);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::not_allowed);
}

TEST(Rungs, SpillsAtElevatedToo) {
  Driver drive(trimming());
  drive.world.usage_bytes = 980 * kMiB;  // 20 MiB left, 30 are to be kept
  drive.world.kv.spillable_bytes = 50 * kMiB;
  drive.run(3);
  drive.state.level = Level::elevated;
  drive.world.hints = 1;
  drive.world.own_some = 0.009;  // no stress, no level of its own
  drive.run(0.3);
  EXPECT_EQ(drive.count(Verb::spill), 0u) << "not pressed";
  drive.world.own_some = 0.012;
  drive.run(0.5);
  EXPECT_EQ(drive.trims(), 0u);
  EXPECT_LE(drive.log.back().decision.level, Level::high);
}

TEST(Rungs, TheFirstSignWithoutNeedSpillsNothing) {
  Driver drive(trimming());
  drive.world.kv.spillable_bytes = 50 * kMiB;
  drive.run(3);
  drive.world.own_some = 0.3;
  drive.run(1);
  EXPECT_EQ(drive.count(Verb::spill), 0u);
}

TEST(Rungs, WhatReleasesWillGiveIsNotSpilled) {
  Driver drive = at_cliff(100 * kMiB);
  drive.world.kv.releasable_bytes = 50 * kMiB;
  drive.tick();
  EXPECT_NEAR(static_cast<double>(drive.asked(Verb::spill)), kNeed - 50 * kMiB, kMiB);
}

TEST(Rungs, AQueuedSpillHoldsTheNextOneAndTheTrimThatItCovers) {
  Driver drive = at_cliff(100 * kMiB);
  drive.tick();
  queue(drive, Verb::spill);
  const std::size_t from = drive.log.size();
  drive.run(30);
  EXPECT_EQ(drive.count(Verb::spill, from), 0u);
  EXPECT_EQ(drive.trims(from), 0u);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::in_flight);
  EXPECT_EQ(drive.log.back().decision.wake_after_us, 100'000u);
}

TEST(Rungs, ASpillCutShortGoesOnAtOnce) {
  Driver drive = at_cliff(100 * kMiB);
  drive.tick();
  drive.answer(0.25);
  drive.world.kv.spillable_bytes += 60 * kMiB;
  for (Outcome& outcome : drive.outcomes) {
    if (outcome.verb == Verb::spill) outcome.status = Status::more;
  }
  drive.tick();
  EXPECT_GT(drive.asked(Verb::spill), 0u);
  EXPECT_EQ(drive.log.back().decision.wake_after_us, 10'000u);
}

TEST(Rungs, ASpillAsksForWhatTheDiskMovesInTwoSecondsAndTheRestIsStillNotTrimmed) {
  PolicyConfig config = trimming();
  config.disk_step_bytes = 10 * kMiB;
  Driver drive = at_cliff(100 * kMiB, config);
  drive.tick();
  EXPECT_EQ(drive.asked(Verb::spill), 10 * kMiB);
  EXPECT_EQ(drive.asked(Verb::trim), 0u);
  const std::uint64_t first_us = drive.now_us;
  queue(drive, Verb::spill);
  drive.run(1);
  drive.answer_empty(Verb::spill, Status::done);
  drive.outcomes[0].bytes_released = 10 * kMiB;  // ten a second
  drive.world.kv.spillable_bytes -= 10 * kMiB;
  drive.world.usage_bytes -= 10 * kMiB;
  const std::size_t from = drive.log.size();
  while (drive.count(Verb::spill, from) == 0 && drive.now_us < first_us + 3'000'000) drive.tick();
  EXPECT_NEAR(static_cast<double>(drive.asked(Verb::spill)), 20.0 * kMiB, 3.0 * kMiB);
  EXPECT_EQ(drive.trims(), 0u);
  EXPECT_EQ(drive.state.effective_steps, 0u) << "a part is no step that did not help";
}

TEST(Rungs, WhatIsTakenForNeedIsTakenFromTheBudgetToo) {
  Driver drive = at_cliff(50 * kMiB);
  drive.world.kv.cells_total = 8192;
  drive.world.kv.bytes_per_cell = 32 * kKiB;
  const Decision& decision = drive.tick().decision;
  EXPECT_EQ(decision.kv_budget_bytes,
            150 * kMiB - drive.asked(Verb::spill) - drive.asked(Verb::trim));
}

TEST(Rungs, ASpillThatFailsLeavesTheWayToATrimAtOnce) {
  for (const Status status : {Status::failed, Status::nothing}) {
    Driver drive = at_cliff(100 * kMiB);
    drive.tick();
    ASSERT_GT(drive.asked(Verb::spill), 0u);
    drive.answer_empty(Verb::spill, status);
    drive.tick();
    EXPECT_EQ(drive.asked(Verb::spill), 0u);
    EXPECT_NEAR(static_cast<double>(drive.asked(Verb::trim)), kNeed, kMiB);
  }
}

TEST(Rungs, ABrokenDiskIsAskedAgainAfterLongerAndLongerHolds) {
  Driver drive = at_cliff(100 * kMiB, PolicyConfig{});
  std::vector<std::uint64_t> asked_us;
  for (int i = 0; i < 2000; ++i) {
    drive.tick();
    if (drive.asked(Verb::spill) == 0) continue;
    asked_us.push_back(drive.now_us);
    drive.answer_empty(Verb::spill, Status::failed);
  }
  ASSERT_GE(asked_us.size(), 5u);
  EXPECT_LE(asked_us.size(), 9u) << "200 s";
  for (std::size_t i = 2; i < 5; ++i) {
    EXPECT_GT(asked_us[i] - asked_us[i - 1], (asked_us[i - 1] - asked_us[i - 2]) * 3 / 2);
  }
}

TEST(Rungs, TheFloorHoldsForSpillsToo) {
  PolicyConfig config = trimming();
  config.kv_min_bytes = 110 * kMiB;
  Driver drive = at_cliff(100 * kMiB, config);
  drive.tick();
  EXPECT_EQ(drive.asked(Verb::spill), 40 * kMiB);
  EXPECT_EQ(drive.asked(Verb::trim), 0u);
}

TEST(Rungs, TheCapTakesIdleRowsFirst) {
  PolicyConfig config = trimming();
  config.kv_max_bytes = 96 * kMiB;
  Driver drive(config);
  drive.world.kv.spillable_bytes = 4 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.log.back().decision.reason, Reason::cap);
  EXPECT_EQ(drive.asked(Verb::spill), 4 * kMiB);
  EXPECT_EQ(drive.asked(Verb::trim), 6 * kMiB);
}

TEST(Rungs, IdleRowsMakeRoomForWorkThatWaitsWithoutPermissionToTrim) {
  Driver drive;
  drive.world.kv.cells_total = 8192;
  drive.world.kv.bytes_per_cell = 32 * kKiB;
  drive.world.kv.spillable_bytes = 50 * kMiB;
  drive.world.usage_bytes = 995 * kMiB;  // nothing fits in
  drive.run(3);
  drive.state.is_bounded = true;
  drive.state.budget_bytes = 100 * kMiB;
  drive.world.kv.waiting_bytes = 20 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.log.back().decision.reason, Reason::room);
  EXPECT_EQ(drive.asked(Verb::spill), 20 * kMiB);
  drive.world.kv.spillable_bytes = 10 * kMiB;
  drive.run(2);
  EXPECT_EQ(drive.count(Verb::spill), 1u) << "less than the work waits for is no use";
}

}  // namespace
}  // namespace kvpsi
