// SPDX-License-Identifier: MIT
// What nobody uses: cached prompts, rows that have been idle for long, and what goes when a person
// asks for memory.
#include <gtest/gtest.h>

#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

std::size_t count_cache_releases(const Driver& drive) {
  std::size_t count = 0;
  for (const Decided& turn : drive.log) {
    for (const Action& action : turn.decision.actions) {
      count += action.pool == PoolKind::prompt_cache && action.verb == Verb::release;
    }
  }
  return count;
}

TEST(Unused, CachedPromptsGoAtALevelAndNotForAFirstSign) {
  Driver drive;
  drive.world.prompt_cache = PoolView{.kind = PoolKind::prompt_cache,
                                      .resident_bytes = 80 * kMiB,
                                      .releasable_bytes = 80 * kMiB,
                                      .granule_bytes = 4096};
  drive.run(3);
  drive.world.own_some = 0.3;  // 30 ms of stall in a turn, limit not hit, plenty of room
  drive.tick();
  EXPECT_EQ(drive.log.back().decision.reason, Reason::first_sign);
  EXPECT_EQ(count_cache_releases(drive), drive.state.level > Level::calm ? 1u : 0u);
  drive.world.usage_bytes = 950 * kMiB;
  drive.world.limit_hits = 200;
  drive.run(1);
  EXPECT_GT(drive.state.level, Level::calm);
  EXPECT_GE(count_cache_releases(drive), 1u);
  drive.world.prompt_cache->releasable_bytes = 0;  // all on disk
  const std::size_t before = count_cache_releases(drive);
  drive.run(3);
  EXPECT_EQ(count_cache_releases(drive), before);
}

TEST(Unused, WhatNobodyHasUsedForLongGoesToDiskAndIsNotRestored) {
  Driver drive;
  drive.world.kv.spillable_bytes = 50 * kMiB;
  drive.run(5);
  EXPECT_EQ(drive.count(Verb::spill), 0u) << "idle for a while is no reason at rest";
  drive.world.kv.idle_bytes = 20 * kMiB;
  drive.tick();
  EXPECT_EQ(drive.asked(Verb::spill), 20 * kMiB);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::tidy);
  drive.answer();
  drive.world.kv.idle_bytes = drive.world.kv.spilled_bytes = 0;
  drive.world.kv.parked_bytes = 20 * kMiB;
  drive.run(90);
  EXPECT_EQ(drive.count(Verb::spill), 1u);
  EXPECT_EQ(drive.count(Verb::restore), 0u);
}

TEST(Unused, ScratchOfAnEngineThatIsNotUsedGoesBackOnce) {
  Driver drive;
  drive.world.scratch.releasable_bytes = 14 * kMiB;
  EXPECT_TRUE(drive.run(5).decision.actions.empty());
  drive.world.scratch.idle_bytes = drive.world.scratch.releasable_bytes;
  const Decision decision = drive.tick().decision;
  EXPECT_EQ(decision.reason, Reason::tidy);
  ASSERT_EQ(decision.actions.size(), 1u);
  EXPECT_EQ(decision.actions[0].pool, PoolKind::scratch);
  EXPECT_EQ(decision.actions[0].verb, Verb::release);
  drive.answer();
  drive.world.scratch = {.kind = PoolKind::scratch};
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(drive.tick().decision.actions.empty());
}

TEST(Unused, ADiskThatRefusesIsNotAskedAllTheTimeToTidy) {
  Driver drive;
  drive.world.kv.spillable_bytes = drive.world.kv.idle_bytes = 20 * kMiB;
  for (int i = 0; i < 600; ++i) {
    drive.tick();
    if (drive.asked(Verb::spill) > 0) drive.answer_empty(Verb::spill, Status::failed);
  }
  EXPECT_GE(drive.count(Verb::spill), 2u);
  EXPECT_LE(drive.count(Verb::spill), 8u);
}

TEST(Unused, AskedTakesIdleRowsTooAndLeavesThemOutForAMinute) {
  Driver drive;
  drive.run(5);
  drive.world.kv.spillable_bytes = 30 * kMiB;
  drive.give_back_asked = true;
  drive.tick();
  EXPECT_EQ(drive.log.back().decision.reason, Reason::asked);
  EXPECT_EQ(drive.asked(Verb::spill), 30 * kMiB);
  drive.answer();
  drive.run(59);
  EXPECT_EQ(drive.count(Verb::restore), 0u);
  drive.run(30);
  EXPECT_GT(drive.count(Verb::restore), 0u);
}

}  // namespace
}  // namespace kvpsi
