// SPDX-License-Identifier: MIT
// What counters are taken to mean: windows, gates, headroom, slopes, and counters that misbehave.
#include "policy/fuse.h"

#include <gtest/gtest.h>

#include <cmath>

#include <limits>

#include "policy/arith.h"
#include "policy/room.h"
#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

TEST(Fuse, ShareOfTheLastTwoSecondsIsKnownBeforeTheyAreOver) {
  Driver drive;
  drive.run(5);
  drive.world.own_some = 0.2;
  drive.run(0.5);
  EXPECT_NEAR(drive.log.back().signal.some_fast, 0.05, 0.001) << "100 ms of stall within 2 s";
  drive.run(3);
  EXPECT_NEAR(drive.log.back().signal.some_fast, 0.2, 0.001);
  EXPECT_NEAR(drive.log.back().signal.some_slow, 0.07, 0.001);
  drive.world.own_some = 0;
  drive.run(2.1);
  EXPECT_EQ(drive.log.back().signal.some_fast, 0) << "no echo after the window";
}

TEST(Fuse, AStalledGovernorStillSeesTheStall) {
  Driver drive;
  drive.run(1);
  drive.world.own_some = 0.9;
  drive.tick(4'000'000);
  EXPECT_NEAR(drive.log.back().signal.some_fast, 0.9, 0.01);
  EXPECT_NEAR(static_cast<double>(drive.log.back().signal.stall_us_new), 3.6e6, 10);
}

TEST(Fuse, SystemStallCountsOnlyWhileTheMachineScans) {
  Driver drive;
  drive.world.system_some = 0.5;
  drive.world.limit_hits = 100;
  drive.run(3);
  EXPECT_EQ(drive.log.back().signal.some_fast, 0);
  drive.world.scan_pages = 1000;  // 3.9 MiB/s: kswapd's background
  drive.run(3);
  EXPECT_EQ(drive.log.back().signal.some_fast, 0);
  drive.world.scan_pages = 1100;
  drive.run(3);
  EXPECT_NEAR(drive.log.back().signal.some_fast, 0.5, 0.01);
  EXPECT_EQ(drive.log.back().signal.origin, Origin::system);
}

TEST(Fuse, ParentStallCountsOnlyWhileOurLimitIsHitOrTheMachineScans) {
  Driver drive;
  drive.world.parent_some = 0.3;
  drive.run(3);
  EXPECT_EQ(drive.log.back().signal.some_fast, 0) << "a neighbour in a limit of its own";
  drive.world.limit_hits = 50;
  drive.run(3);
  EXPECT_NEAR(drive.log.back().signal.some_fast, 0.3, 0.01);
  EXPECT_EQ(drive.log.back().signal.origin, Origin::limit);
  drive.world.own_some = 0.25;
  drive.run(3);
  EXPECT_EQ(drive.log.back().signal.origin, Origin::own) << "four fifths of the worst: the victim";
}

TEST(Fuse, ReclaimNeedsMoreThanAFloor) {
  Driver drive;
  drive.world.refaults = 99;
  drive.run(3);
  EXPECT_FALSE(drive.log.back().signal.reclaim_active);
  drive.world.refaults = 101;
  drive.run(3);
  EXPECT_TRUE(drive.log.back().signal.reclaim_active);
}

TEST(Fuse, OwnGrowthIsNotForeign) {
  Driver drive;
  drive.world.own_growth = 20 * kMiB;
  drive.run(3);
  const Signal& own = drive.log.back().signal;
  EXPECT_NEAR(own.headroom_slope, -20.0 * kMiB, kMiB);
  EXPECT_NEAR(own.foreign_slope, 0, kMiB / 10.0);
  EXPECT_EQ(own.time_to_empty_s, std::numeric_limits<double>::infinity());
  drive.world.own_growth = 0;
  drive.world.usage_growth = 40 * kMiB;
  drive.run(3);
  const Signal& foreign = drive.log.back().signal;
  EXPECT_NEAR(foreign.foreign_slope, -40.0 * kMiB, kMiB);
  EXPECT_NEAR(foreign.time_to_empty_s, static_cast<double>(foreign.headroom_bytes) / (40.0 * kMiB),
              0.2);
}

TEST(Fuse, StallBeforeTheEndOfAStepDoesNotCount) {
  Driver drive;
  drive.run(2);
  drive.world.own_some = 0.5;
  drive.world.limit_hits = 10;
  drive.run(1);
  EXPECT_GT(drive.log.back().signal.some_fast, 0.2);
  drive.outcomes.push_back(Outcome{.decision_id = 1,
                                   .verb = Verb::release,
                                   .pool = PoolKind::kv,
                                   .status = Status::done,
                                   .t_us = drive.now_us + 50'000,
                                   .bytes_released = 50 * kMiB});
  drive.world.own_some = 0;
  drive.tick();
  EXPECT_EQ(drive.log.back().signal.some_fast, 0);
}

class Misbehaviour : public testing::TestWithParam<void (*)(Driver&, Observation&)> {};

TEST_P(Misbehaviour, StartsANewHistoryWithoutInventingStall) {
  Driver drive;
  drive.world.own_some = 0.3;
  drive.run(3);
  Observation odd = drive.last_observation;
  odd.sample.t_us += 100'000;
  GetParam()(drive, odd);
  const Decided decided = decide(drive.state, odd, drive.config);
  EXPECT_EQ(decided.signal.stall_us_new, 0u);
  EXPECT_EQ(decided.signal.some_fast, 0);
  EXPECT_EQ(decided.state.history.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Counters, Misbehaviour,
    testing::Values([](Driver&, Observation& o) { o.sample.psi_own->some_us_total = 3; },
                    [](Driver&, Observation& o) { o.sample.psi_own->full_us_total = 0; },
                    [](Driver&, Observation& o) { o.sample.group_limit_hits_total = 0; },
                    [](Driver&, Observation& o) { o.sample.psi_own.reset(); },
                    [](Driver&, Observation& o) { o.sample.system_scan_pages_total.reset(); },
                    [](Driver&, Observation& o) { o.sample.t_us += 10'000'000; },
                    [](Driver&, Observation& o) { o.sample.t_us -= 1'000'000; },
                    [](Driver&, Observation& o) { o.sample.t_us = 0; }));

Sample group_sample() {
  Sample s;
  s.mem_total_bytes = 64 * kGiB;
  s.mem_available_bytes = 40 * kGiB;
  s.group_limit_bytes = 242 * kMiB;
  s.group_usage_bytes = 242 * kMiB;
  s.group_file_bytes = 81 * kMiB;
  s.own_file_bytes = 70 * kMiB;
  s.own_file_wanted_bytes = 94 * kMiB;
  s.own_anon_bytes = 61 * kMiB;
  return s;
}

TEST(Room, OfAFullGroupIsWhatTheWeightsLack) {
  const Room room = measure_room(group_sample(), 0, PolicyConfig{});
  EXPECT_EQ(room.scope, Scope::group);
  EXPECT_EQ(room.headroom_bytes, -static_cast<std::int64_t>(13 * kMiB));
  EXPECT_NEAR(static_cast<double>(room.reserve_low_bytes), 0.03 * 242 * kMiB, 2);
  EXPECT_NEAR(static_cast<double>(room.reserve_high_bytes), 0.06 * 242 * kMiB, 2);
}

TEST(Room, WithNextToNothingToReclaimIsBrittle) {
  Sample s = group_sample();
  s.own_file_wanted_bytes = 0;  // weights repacked into anonymous memory
  s.own_file_bytes = s.group_file_bytes.emplace(10 * kMiB);
  s.group_usage_bytes = 215 * kMiB;
  const Room room = measure_room(s, 0, PolicyConfig{});
  EXPECT_TRUE(room.is_brittle);
  EXPECT_NEAR(static_cast<double>(room.reserve_low_bytes), 0.06 * 242 * kMiB, 4);
  EXPECT_NEAR(static_cast<double>(room.reserve_high_bytes), 0.12 * 242 * kMiB, 4);
  s.swap_free_bytes = kGiB;
  EXPECT_FALSE(measure_room(s, 0, PolicyConfig{}).is_brittle);
  s.group_swap_free_bytes = 0;
  EXPECT_TRUE(measure_room(s, 0, PolicyConfig{}).is_brittle) << "the group may not use it";
  s.swap_free_bytes.reset();
  s.group_file_bytes = 15 * kMiB;
  EXPECT_FALSE(measure_room(s, 0, PolicyConfig{}).is_brittle);
}

TEST(Room, ThatIsBrittleHasASurge) {
  Sample s = group_sample();
  s.group_file_bytes = 0;
  const PolicyConfig config;
  EXPECT_EQ(measure_room(s, 0, config, 20 * kMiB).surge_bytes, 20 * kMiB);
  EXPECT_EQ(measure_room(s, 0, config, kGiB).surge_bytes,
            share_of(242 * kMiB, config.surge_max_share));
  EXPECT_EQ(measure_room(s, 0, config, kGiB).reserve_low_bytes,
            measure_room(s, 0, config).reserve_low_bytes);
  s.group_file_bytes = 81 * kMiB;
  EXPECT_EQ(measure_room(s, 0, config, kGiB).surge_bytes, 0u)
      << "with something to reclaim there is stall first";
}

TEST(Room, LeavesOutFilePagesChargedElsewhere) {
  Sample s = group_sample();
  s.group_file_bytes = 10 * kMiB;  // the weights were first read by another group
  s.group_usage_bytes = 150 * kMiB;
  s.own_file_bytes = 94 * kMiB;
  EXPECT_EQ(measure_room(s, 0, PolicyConfig{}).headroom_bytes,
            static_cast<std::int64_t>((242 - 150 + 10 - 10) * kMiB));
}

TEST(Room, OfTheMachineIsWithoutOurWeights) {
  Sample s;
  s.mem_total_bytes = 16 * kGiB;
  s.mem_available_bytes = 3 * kGiB;
  s.own_file_bytes = kGiB;
  const Room room = measure_room(s, 0, PolicyConfig{});
  EXPECT_EQ(room.scope, Scope::system);
  EXPECT_EQ(room.headroom_bytes, static_cast<std::int64_t>(2 * kGiB));
  EXPECT_NEAR(static_cast<double>(room.reserve_low_bytes), 0.04 * 16 * kGiB, 2);
  EXPECT_NEAR(static_cast<double>(room.reserve_high_bytes), 0.08 * 16 * kGiB, 2);
}

TEST(Room, ReservesOfASmallMachineAreBounded) {
  Sample s;
  s.mem_total_bytes = kGiB;
  s.mem_available_bytes = kGiB / 2;
  const Room room = measure_room(s, 0, PolicyConfig{});
  EXPECT_NEAR(static_cast<double>(room.reserve_low_bytes), 0.1 * kGiB, 2);
  EXPECT_NEAR(static_cast<double>(room.reserve_high_bytes), 0.2 * kGiB, 2);
}

TEST(Room, ALimitThatNobodyCanReachIsNone) {
  Sample s = group_sample();
  s.group_limit_bytes = 0x7FFFFFFFFFFFF000;
  EXPECT_EQ(measure_room(s, 0, PolicyConfig{}).scope, Scope::system);
  s.mem_available_bytes.reset();
  s.mem_total_bytes.reset();
  EXPECT_EQ(measure_room(s, 0, PolicyConfig{}).scope, Scope::none);
}

TEST(Room, WithoutFactsThereIsNoDeficit) {
  const Room room = measure_room(Sample{}, 0, PolicyConfig{});
  EXPECT_EQ(room.scope, Scope::none);
  EXPECT_EQ(room.headroom_bytes, std::numeric_limits<std::int64_t>::max());
}

/// 1,000 MiB that others fill at 4 MiB a second, the last 40 of them.
Driver draining() {
  Driver drive;
  drive.world.usage_bytes = 960 * kMiB;
  drive.run(3);
  drive.world.usage_growth = 4 * kMiB;
  return drive;
}

TEST(Draining, IsASignWithoutStall) {
  Driver drive = draining();
  drive.run(4);
  EXPECT_TRUE(drive.log.back().signal.draining);
  EXPECT_EQ(drive.log.back().decision.level, Level::high);
  EXPECT_EQ(drive.log.back().signal.some_fast, 0);
}

TEST(Draining, IsNoneWhereSwapTakesIt) {
  Driver drive = draining();
  drive.world.swap_free_bytes = kGiB;
  drive.run(4);
  EXPECT_FALSE(drive.log.back().signal.draining);
  EXPECT_EQ(drive.log.back().decision.level, Level::calm);
}

TEST(TimeToEmpty, IsNoneWhereNothingWasLeftBefore) {
  Driver drive;
  drive.world.usage_bytes = 1200 * kMiB;  // weights bigger than the limit
  drive.world.usage_growth = 5 * kMiB;
  drive.run(5);
  EXPECT_LT(drive.log.back().signal.headroom_bytes, 0);
  EXPECT_TRUE(std::isinf(drive.log.back().signal.time_to_empty_s));
  EXPECT_EQ(drive.log.back().decision.level, Level::calm);
}

TEST(OwnFiles, TheMostThatWasMappedIsKeptForAWhile) {
  Driver drive;
  drive.world.own_file_bytes = 60 * kMiB;
  drive.world.own_file_wanted_bytes = 50 * kMiB;
  const std::int64_t before = drive.run(3).signal.headroom_bytes;
  drive.world.own_file_bytes = 20 * kMiB;  // evicted
  EXPECT_EQ(drive.run(3).signal.headroom_bytes, before);
  drive.world.own_file_bytes = 200 * kMiB;  // read once
  EXPECT_EQ(drive.run(3).state.own_file_most_bytes, 66 * kMiB);
  drive.world.own_file_bytes = 52 * kMiB;
  drive.run(601);
  EXPECT_EQ(drive.state.own_file_most_bytes, 52 * kMiB);
}

TEST(Clock, ThatWentBackHoldsNothingUp) {
  Driver drive;
  drive.run(3);
  drive.world.own_some = 0.5;
  drive.world.limit_hits = 100;
  drive.run(3);
  ASSERT_GT(drive.state.pressed_us, 10'000'000u);
  drive.now_us = 10'000'000;
  drive.tick();
  for (const std::uint64_t since : {drive.state.pressed_us, drive.state.last_sign_us,
                                    drive.state.step_end_us, drive.state.grown_us}) {
    EXPECT_LE(since, drive.now_us);
  }
}

}  // namespace
}  // namespace kvpsi
