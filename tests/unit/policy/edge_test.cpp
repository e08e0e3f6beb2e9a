// SPDX-License-Identifier: MIT
// The rule for limits that kill without stalling first: what costs next to nothing goes ahead while
// what the pools may take at once still fits, and nothing else does.
#include <gtest/gtest.h>

#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

/// 1000 MiB of which 910 are used, none of it page cache; 60 MiB are to be kept.
Driver at_edge(std::uint64_t surge_bytes) {
  Driver drive;
  drive.world.file_bytes = 0;
  drive.world.usage_bytes = 910 * kMiB;
  drive.world.kv.surge_bytes = surge_bytes;
  return drive;
}

TEST(Edge, LosslessThingsGoAheadWhereASurgeWouldNotFit) {
  Driver drive = at_edge(50 * kMiB);
  drive.world.kv.releasable_bytes = 2 * kMiB;
  drive.world.kv.spillable_bytes = 90 * kMiB;
  drive.world.prompt_cache = PoolView{
      .kind = PoolKind::prompt_cache, .releasable_bytes = 9 * kMiB, .spillable_bytes = 9 * kMiB};
  const Decision& decision = drive.tick().decision;
  EXPECT_EQ(decision.reason, Reason::edge);
  EXPECT_EQ(decision.level, Level::calm);
  EXPECT_EQ(decision.need_bytes, 0u);
  EXPECT_EQ(decision.wake_after_us, 100'000u);
  ASSERT_EQ(decision.actions.size(), 3u);
  EXPECT_EQ(decision.actions[0].pool, PoolKind::kv);
  EXPECT_EQ(decision.actions[1].pool, PoolKind::prompt_cache);
  EXPECT_EQ(decision.actions[2].verb, Verb::spill);
  EXPECT_EQ(decision.actions[2].bytes, 20 * kMiB) << "what is missing of 60 + 50";
}

TEST(Edge, NothingGoesAheadWhereASurgeFits) {
  Driver drive = at_edge(30 * kMiB);
  drive.world.kv.releasable_bytes = 2 * kMiB;
  drive.world.kv.spillable_bytes = 90 * kMiB;
  EXPECT_EQ(drive.tick().decision.reason, Reason::at_rest);
  EXPECT_EQ(drive.log.back().decision.wake_after_us, 500'000u);
}

TEST(Edge, ASurgeTrimsNothingAndBringsNoIdleRowsBack) {
  PolicyConfig config;
  config.trim_allowed = true;
  Driver drive(config);
  drive.world = at_edge(50 * kMiB).world;
  drive.world.kv.spilled_bytes = 40 * kMiB;
  for (int i = 0; i < 300; ++i) {
    for (const Action& action : drive.tick().decision.actions) {
      ADD_FAILURE() << name(action.verb) << " at " << i;
    }
  }
}

TEST(Edge, SavedPromptsThatHaveNoDiskStay) {
  Driver drive = at_edge(50 * kMiB);
  drive.world.prompt_cache = PoolView{.kind = PoolKind::prompt_cache, .releasable_bytes = 9 * kMiB};
  EXPECT_EQ(drive.tick().decision.reason, Reason::at_rest) << "they would be dropped";
}

TEST(Edge, WhatWentAheadDoesNotComeBackAtOnce) {
  Driver drive = at_edge(100 * kMiB);
  drive.world.kv.spillable_bytes = 90 * kMiB;
  for (int i = 0; i < 1200; ++i) {
    drive.tick();
    drive.answer();
  }
  EXPECT_EQ(drive.count(Verb::spill), 2u) << "70 MiB are missing, a step has 64";
  EXPECT_EQ(drive.count(Verb::restore), 0u);
  drive.world.usage_bytes -= 100 * kMiB;  // a neighbour has ended
  drive.run(90);
  EXPECT_GT(drive.count(Verb::restore), 0u);
}

}  // namespace
}  // namespace kvpsi
