// SPDX-License-Identifier: MIT
// Which pools are asked for what, and every reason for not dropping context.
#include "policy/ladder.h"

#include <gtest/gtest.h>

#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

/// The page cache of the test's world is nobody's: where others' is meant to count, a test says so.
PolicyConfig trimming(double others_max_reserves = 0) {
  PolicyConfig config;
  config.trim_allowed = true;
  config.others_max_reserves = others_max_reserves;
  return config;
}

/// Our own group at a cliff: `missing` bytes short, half of the time stalled.
Driver at_cliff(std::uint64_t missing, const PolicyConfig& config = trimming()) {
  Driver drive(config);
  drive.world.usage_bytes = drive.world.limit_bytes + missing;
  drive.run(3);
  drive.world.own_some = 0.5;
  drive.world.own_full = 0.4;
  drive.world.limit_hits = 200;
  return drive;
}

const Action* find(const Decision& decision, Verb verb, PoolKind pool) {
  for (const Action& action : decision.actions) {
    if (action.verb == verb && action.pool == pool) return &action;
  }
  return nullptr;
}

TEST(Ladder, AHintReleasesAndTrimsNothing) {
  Driver drive(trimming());
  drive.run(3);
  drive.world.hints = 1;
  std::size_t releases = 0;
  for (int i = 0; i < 10; ++i) releases += drive.tick().decision.actions.size();
  EXPECT_EQ(releases, 3u) << "each pool once, at the first hint";
  EXPECT_EQ(drive.log.back().decision.level, Level::elevated);
  drive.world.hints = 0;
  drive.run(15);
  EXPECT_EQ(drive.trims(), 0u);
  EXPECT_EQ(drive.log.back().decision.level, Level::calm);
}

TEST(Ladder, FirstSignReleasesEverythingUnsized) {
  Driver drive;
  drive.run(3);
  drive.world.own_some = 0.3;
  const Decision& decision = drive.tick().decision;
  EXPECT_EQ(decision.reason, Reason::first_sign);
  ASSERT_EQ(decision.actions.size(), 3u);
  for (const Action& action : decision.actions) {
    EXPECT_EQ(action.verb, Verb::release);
    EXPECT_EQ(action.bytes, 0u);
    EXPECT_EQ(action.decision_id, decision.id);
    EXPECT_EQ(action.budget_us, 20'000u);
  }
}

TEST(Ladder, ScratchIsReleasedOncePerEntryNotPerTick) {
  Driver drive = at_cliff(0, PolicyConfig{});
  std::size_t releases = 0;
  drive.run(5);
  for (const Decided& decided : drive.log) {
    releases += find(decided.decision, Verb::release, PoolKind::scratch) != nullptr;
  }
  // The first sign (which enters a level), and each level above that.
  EXPECT_GE(releases, 1u);
  EXPECT_LE(releases, 3u);
}

TEST(Ladder, ForeignPressureReleasesButNeverTrims) {
  Driver drive(trimming());
  drive.run(3);
  drive.world.parent_some = 0.6;
  drive.world.scan_pages = 20'000;  // the machine is full, not our limit
  drive.run(10);
  EXPECT_EQ(drive.trims(), 0u);
  EXPECT_GE(drive.state.level, Level::high);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::foreign);
}

TEST(Ladder, OthersThatStallUnderOurLimitAreRelieved) {
  Driver drive = at_cliff(30 * kMiB);
  drive.world.own_some = 0;
  drive.world.parent_some = 0.6;
  drive.run(10);
  EXPECT_EQ(drive.log.back().signal.origin, Origin::limit);
  EXPECT_GE(drive.trims(), 1u);
}

TEST(Ladder, StepIsTheMissingRoomUpToTheUpperReserve) {
  Driver drive = at_cliff(20 * kMiB);
  const Decision& decision = drive.tick().decision;
  const Action* trim = find(decision, Verb::trim, PoolKind::kv);
  ASSERT_NE(trim, nullptr);
  EXPECT_EQ(decision.reason, Reason::need);
  EXPECT_NEAR(static_cast<double>(trim->bytes), (20 + 60) * kMiB, kMiB);
  EXPECT_EQ(trim->bytes % drive.world.kv.granule_bytes, 0u);
}

TEST(Ladder, WhatReleasesWillGiveIsNotTrimmed) {
  Driver drive = at_cliff(0);
  drive.world.kv.releasable_bytes = 70 * kMiB;
  drive.world.kv.resident_bytes += 70 * kMiB;
  const Decision& decision = drive.tick().decision;
  EXPECT_EQ(find(decision, Verb::trim, PoolKind::kv), nullptr);
  EXPECT_NE(find(decision, Verb::release, PoolKind::kv), nullptr);
  EXPECT_EQ(decision.reason, Reason::first_sign);
}

TEST(Ladder, WithoutPermissionNothingIsTrimmed) {
  Driver drive = at_cliff(20 * kMiB, PolicyConfig{});
  drive.run(5);
  EXPECT_EQ(drive.trims(), 0u);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::not_allowed);
}

TEST(Ladder, WithoutReleaseOnlyTrimsAreAsked) {
  PolicyConfig config = trimming();
  config.release_allowed = false;
  Driver drive = at_cliff(20 * kMiB, config);
  drive.world.kv.releasable_bytes = 50 * kMiB;
  drive.run(2);
  EXPECT_GE(drive.trims(), 1u);
  for (const Decided& decided : drive.log) {
    for (const Action& action : decided.decision.actions) EXPECT_EQ(action.verb, Verb::trim);
  }
}

TEST(Ladder, StopsAtTheFloor) {
  PolicyConfig config = trimming();
  config.kv_min_bytes = 96 * kMiB;
  Driver drive = at_cliff(20 * kMiB, config);
  const Action* trim = find(drive.tick().decision, Verb::trim, PoolKind::kv);
  EXPECT_EQ(trim, nullptr) << "4 MiB are less than a tenth of 51";
  EXPECT_EQ(drive.tick().decision.reason, Reason::too_little);
  drive.config.kv_min_bytes = 90 * kMiB;
  trim = find(drive.tick().decision, Verb::trim, PoolKind::kv);
  ASSERT_NE(trim, nullptr);
  EXPECT_EQ(trim->bytes, 10 * kMiB);
  drive.answer();
  drive.run(1);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::at_floor);
}

TEST(Ladder, QueuedStepHoldsTheNextOneHoweverLongItTakes) {
  Driver drive = at_cliff(20 * kMiB);
  drive.tick();
  const std::uint64_t id = drive.log.back().decision.id;
  drive.outcomes.push_back(Outcome{.decision_id = id,
                                   .verb = Verb::trim,
                                   .pool = PoolKind::kv,
                                   .status = Status::queued,
                                   .t_us = drive.now_us});
  const std::size_t asked = drive.log.size();
  drive.run(60);
  EXPECT_EQ(drive.trims(asked), 0u);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::in_flight);
  drive.outcomes.push_back(Outcome{.decision_id = id,
                                   .verb = Verb::trim,
                                   .pool = PoolKind::kv,
                                   .status = Status::nothing,
                                   .t_us = drive.now_us});
  drive.run(0.2);
  EXPECT_EQ(drive.trims(asked), 1u) << "nothing came of it, and memory is still missing";
}

TEST(Ladder, WaitsForTheEffectOfAStep) {
  Driver drive = at_cliff(20 * kMiB);
  drive.world.kv.live_bytes = drive.world.kv.resident_bytes = drive.world.kv.trimmable_bytes = kGiB;
  drive.tick();
  drive.answer();
  drive.world.usage_bytes += 60 * kMiB;  // a neighbour takes it all at once
  const std::size_t asked = drive.log.size();
  drive.run(0.5);
  EXPECT_EQ(drive.trims(asked), 0u);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::blanking);
  drive.run(0.3);
  EXPECT_EQ(drive.trims(asked), 1u);
}

TEST(Ladder, StepCutByItsBudgetIsAskedForAgainAtOnce) {
  Driver drive = at_cliff(20 * kMiB);
  drive.tick();
  drive.answer(0.25);
  for (Outcome& outcome : drive.outcomes) {
    if (outcome.verb == Verb::trim) outcome.status = Status::more;
  }
  const std::size_t asked = drive.log.size();
  drive.tick();
  EXPECT_EQ(drive.trims(asked), 1u);
  EXPECT_EQ(drive.log.back().decision.wake_after_us, 10'000u);
}

TEST(Ladder, NothingIsTrimmedSoonAfterRelief) {
  Driver drive = at_cliff(20 * kMiB);
  drive.tick();                                     // the step is asked for, and never answered
  drive.world.own_some = drive.world.own_full = 0;  // others gave way meanwhile
  const std::size_t asked = drive.log.size();
  drive.run(30);
  EXPECT_EQ(drive.trims(asked), 0u) << "low headroom without stall asks for nothing";
}

TEST(Ladder, CapHoldsWithoutPressureAndWithoutPsi) {
  PolicyConfig config = trimming();
  config.kv_max_bytes = 96 * kMiB;
  Driver drive(config);
  drive.world.psi_present = false;
  const Decision& decision = drive.tick().decision;
  EXPECT_EQ(decision.reason, Reason::cap);
  const Action* trim = find(decision, Verb::trim, PoolKind::kv);
  ASSERT_NE(trim, nullptr);
  EXPECT_EQ(trim->bytes, 10 * kMiB) << "down to 15/16 of the cap";
  drive.answer();
  drive.run(3);
  EXPECT_EQ(drive.trims(), 1u);
}

TEST(Ladder, CapWithoutPermissionSaysSo) {
  PolicyConfig config;
  config.kv_max_bytes = 96 * kMiB;
  Driver drive(config);
  EXPECT_EQ(drive.tick().decision.reason, Reason::not_allowed);
}

TEST(Ladder, CapThatCannotBeHeldDoesNotKeepFreeMemory) {
  PolicyConfig config;
  config.kv_max_bytes = 96 * kMiB;
  Driver drive(config);
  drive.world.kv.releasable_bytes = 7 * kMiB;
  const Decision& decision = drive.tick().decision;
  EXPECT_EQ(decision.reason, Reason::tidy);
  EXPECT_NE(find(decision, Verb::release, PoolKind::kv), nullptr);
  drive.answer();
  drive.world.kv.releasable_bytes = 0;
  EXPECT_EQ(drive.tick().decision.reason, Reason::not_allowed);
}

TEST(Ladder, TidiesAtRestAtMostOnceASecond) {
  Driver drive;
  drive.world.kv.releasable_bytes = 6 * kMiB;
  drive.run(3);
  EXPECT_EQ(drive.log.back().decision.actions.size(), 0u) << "a sixteenth of 100 MiB is more";
  drive.world.kv.releasable_bytes = 7 * kMiB;
  const std::size_t from = drive.log.size();
  drive.run(3);
  std::size_t tidied = 0;
  for (std::size_t i = from; i < drive.log.size(); ++i) {
    tidied += drive.log[i].decision.reason == Reason::tidy;
  }
  EXPECT_EQ(tidied, 3u);
}

TEST(Ladder, AskedReleasesAtOnceAlsoWhilePaused) {
  Driver drive;
  drive.paused = true;
  drive.give_back_asked = true;
  EXPECT_EQ(drive.tick().decision.reason, Reason::asked);
  EXPECT_EQ(drive.log.back().decision.actions.size(), 3u);
  drive.world.own_some = 0.5;
  drive.world.limit_hits = 50;
  drive.run(3);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::paused);
  EXPECT_EQ(drive.log.back().decision.actions.size(), 0u);
  EXPECT_GT(drive.state.level, Level::calm) << "it still watches";
}

TEST(Ladder, FutileStepsArePutOnHoldForLongerEachTime) {
  PolicyConfig config = trimming();
  config.unseen_max_reserves = 10;
  Driver drive(config);
  drive.world.usage_bytes = 800 * kMiB;  // headroom looks fine, and stays so
  drive.world.kv.live_bytes = drive.world.kv.resident_bytes = drive.world.kv.trimmable_bytes =
      4 * kGiB;
  drive.run(3);
  drive.world.own_some = 0.4;
  drive.world.limit_hits = 100;
  std::vector<std::uint64_t> trims_us;
  for (int i = 0; i < 600; ++i) {
    const Decision& decision = drive.tick().decision;
    if (find(decision, Verb::trim, PoolKind::kv) == nullptr) continue;
    trims_us.push_back(drive.now_us);
    drive.answer();
    drive.world.usage_bytes = 800 * kMiB;  // somebody takes what was given
  }
  ASSERT_GE(trims_us.size(), 4u);
  EXPECT_LE(trims_us.size(), 8u) << "one minute of pressure that no step relieves";
  for (std::size_t i = 3; i + 1 < trims_us.size(); ++i) {
    EXPECT_GT(trims_us[i + 1] - trims_us[i], (trims_us[i] - trims_us[i - 1]) * 1.1);
  }
  EXPECT_EQ(drive.log.back().decision.reason, Reason::futile);
  drive.world.usage_bytes = 1000 * kMiB;  // now memory is really short
  const std::size_t from = drive.log.size();
  drive.run(1);
  EXPECT_GE(drive.trims(from), 1u) << "low headroom ends the hold";
}

TEST(Ladder, PagesThatDoNotComeBackStopTheTrims) {
  Driver drive = at_cliff(50 * kMiB);
  drive.world.kv.trimmable_bytes = drive.world.kv.live_bytes = drive.world.kv.resident_bytes =
      2 * kGiB;
  std::size_t trims = 0;
  for (int i = 0; i < 100; ++i) {
    const Decision& decision = drive.tick().decision;
    if (find(decision, Verb::trim, PoolKind::kv) == nullptr) continue;
    ++trims;
    drive.answer(0.1);
  }
  EXPECT_GE(trims, 2u);
  EXPECT_LE(trims, 4u) << "10 s at a cliff where a trim returns a tenth of what it drops";
}

/// What is trimmed when 80 MiB look free, above the upper reserve of 60 MiB, and our group stalls.
std::uint64_t trim_at_disproved_headroom(std::uint64_t others_file_bytes) {
  Driver drive = at_cliff(0, trimming(2));
  drive.world.usage_bytes = 920 * kMiB;
  drive.world.file_bytes = others_file_bytes;
  drive.world.own_some = drive.world.own_full = 0;
  drive.run(15);
  drive.world.own_some = 0.5;
  drive.run(0.5);
  EXPECT_EQ(drive.trims(), 0u);
  drive.run(0.5);
  EXPECT_EQ(drive.trims(), 1u);
  return drive.state.trim_asked_bytes;
}

TEST(Ladder, HeadroomThatStallDisprovesIsNotBelieved) {
  EXPECT_NEAR(static_cast<double>(trim_at_disproved_headroom(70 * kMiB)), 60.0 * kMiB, kMiB);
}

TEST(Ladder, PageCacheOfOthersCountsAsNeededUpToABound) {
  EXPECT_NEAR(static_cast<double>(trim_at_disproved_headroom(100 * kMiB)), 80.0 * kMiB, kMiB);
  EXPECT_NEAR(static_cast<double>(trim_at_disproved_headroom(900 * kMiB)), 90.0 * kMiB, kMiB)
      << "two upper reserves, 120 MiB, would ask for 100; 90 are trimmable";
}

TEST(Ladder, PageCacheOfOthersIsKeptWhereTheLimitLacksMemoryAnyway) {
  Driver drive = at_cliff(10 * kMiB, trimming(0.25));
  for (int i = 0; i < 20 && drive.trims() == 0; ++i) drive.tick();
  ASSERT_EQ(drive.trims(), 1u);
  EXPECT_NEAR(static_cast<double>(drive.state.trim_asked_bytes), (10 + 60 + 15) * kMiB, kMiB);
}

TEST(Ladder, ASecondStepComesSoonWhenStallGoesOn) {
  Driver drive = at_cliff(0);
  for (int i = 0; i < 20 && drive.trims() == 0; ++i) drive.tick();
  ASSERT_EQ(drive.trims(), 1u);
  const std::uint64_t first_us = drive.now_us;
  drive.answer();
  while (drive.trims() < 2 && drive.now_us < first_us + 5'000'000) drive.tick();
  EXPECT_LE(drive.now_us - first_us, 1'200'000u) << "not a whole window of 2 s";
}

TEST(Ladder, WakesOftenUnderPressureAndSeldomAtRest) {
  Driver drive;
  EXPECT_EQ(drive.run(1).decision.wake_after_us, 500'000u);
  drive.world.own_some = 0.3;
  EXPECT_EQ(drive.tick().decision.wake_after_us, 100'000u);
  drive.world.own_some = 0;
  EXPECT_EQ(drive.run(6.5).decision.wake_after_us, 100'000u);
  EXPECT_EQ(drive.run(1).decision.wake_after_us, 250'000u);
  EXPECT_EQ(drive.run(30).decision.wake_after_us, 500'000u);
}

}  // namespace
}  // namespace kvpsi
