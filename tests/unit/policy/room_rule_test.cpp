// SPDX-License-Identifier: MIT
// Work that the budget holds back: when older context makes room for it, and when it waits.
#include <gtest/gtest.h>

#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

/// Bounded to what is live, with room for so much more, and work that waits for 20 MiB.
Driver held_back(std::uint64_t room_bytes) {
  PolicyConfig config;
  config.trim_allowed = config.trim_for_room = true;
  Driver drive(config);
  drive.world.kv.cells_total = 8192;
  drive.world.kv.bytes_per_cell = 32 * kKiB;
  drive.world.usage_bytes = drive.world.limit_bytes;
  drive.run(3);
  drive.world.own_some = 0.5;
  drive.world.limit_hits = 200;
  drive.run(2);
  drive.answer();
  drive.state.budget_bytes = drive.state.offered_bytes = 100 * kMiB;
  drive.world.own_some = drive.world.limit_hits = 0;
  drive.world.usage_bytes = drive.world.limit_bytes - 31 * kMiB - room_bytes;
  drive.world.kv.waiting_bytes = 20 * kMiB;
  drive.log.clear();
  return drive;
}

TEST(RoomRule, WorkThatWaitsPushesOutOlderContext) {
  Driver drive = held_back(0);
  drive.run(3);
  ASSERT_GE(drive.trims(), 1u);
  for (const Decided& decided : drive.log) {
    for (const Action& action : decided.decision.actions) {
      if (action.verb != Verb::trim) continue;
      EXPECT_EQ(decided.decision.reason, Reason::room);
      EXPECT_LE(action.bytes, 20 * kMiB + drive.world.kv.granule_bytes);
    }
  }
}

TEST(RoomRule, NothingIsDroppedWhereTheMemoryIsThere) {
  Driver drive = held_back(250 * kMiB);  // page cache of others counts as used while it is bad
  drive.run(3);
  EXPECT_EQ(drive.trims(), 0u) << "the budget is about to grow";
}

TEST(RoomRule, NothingIsDroppedWithoutPermissionOrUse) {
  Driver forbidden = held_back(0);
  forbidden.config.trim_for_room = false;
  forbidden.run(3);
  EXPECT_EQ(forbidden.trims(), 0u);
  Driver trickle = held_back(250 * kMiB);
  trickle.world.own_some = 0.005;
  trickle.run(13);
  EXPECT_GE(trickle.trims(), 1u) << "growth waits for the end of a little stall, work need not";
  Driver useless = held_back(0);
  useless.world.kv.trimmable_bytes = 10 * kMiB;
  useless.run(3);
  EXPECT_EQ(useless.trims(), 0u) << "10 of 20 MiB would not let the work go on";
}

}  // namespace
}  // namespace kvpsi
