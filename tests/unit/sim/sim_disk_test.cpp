// SPDX-License-Identifier: MIT
// The synthetic disk: its rate, its staging, its room.
#include "sim/sim_disk.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "sim/constants.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;

DiskSpec slow() {
  DiskSpec spec;
  spec.bytes_per_s = 10.0 * kMiB;
  spec.latency_s = 0.1;
  spec.capacity_bytes = 100 * kMiB;
  return spec;
}

TEST(SimDisk, MovesInTheBackgroundAtItsRateAfterItsLatency) {
  SimDisk disk(slow());
  EXPECT_EQ(disk.move(50 * kMiB, 1, 0, kSecond).bytes, 0u) << "the transfer begins";
  EXPECT_EQ(disk.move(50 * kMiB, 1, 0, 2 * kSecond).bytes, 9 * kMiB);
  EXPECT_EQ(disk.move(41 * kMiB, 1, 0, 60 * kSecond).bytes,
            static_cast<std::uint64_t>(kMachine.staging_bytes))
      << "more is not staged";
}

TEST(SimDisk, WaitsNoLongerThanItMayAndNotForMoreThanIsWanted) {
  SimDisk disk(slow());
  disk.move(50 * kMiB, 1, 0, kSecond);
  const SimDisk::Moved some = disk.move(50 * kMiB, 1, kSecond / 2, 2 * kSecond);
  EXPECT_EQ(some.bytes, 14 * kMiB);
  EXPECT_EQ(some.waited_us, kSecond / 2);
  const SimDisk::Moved rest = disk.move(2 * kMiB, 1, kSecond, 2 * kSecond);
  EXPECT_EQ(rest.bytes, 2 * kMiB);
  EXPECT_NEAR(static_cast<double>(rest.waited_us), 0.2 * kSecond, 2);
}

TEST(SimDisk, MovesWholeUnits) {
  SimDisk disk(slow());
  disk.move(50 * kMiB, 1, 0, kSecond);
  EXPECT_EQ(disk.move(50 * kMiB, 4 * kMiB, 0, 2 * kSecond).bytes, 8 * kMiB);
  EXPECT_EQ(disk.move(50 * kMiB, 4 * kMiB, 0, 2 * kSecond + kSecond * 4 / 10).bytes, 4 * kMiB)
      << "what is left of a unit is not lost";
}

TEST(SimDisk, RoomEndsWithCapacityOrWhenItIsFullOrAbsent) {
  SimDisk disk(slow());
  EXPECT_EQ(disk.room_bytes(30 * kMiB), 70 * kMiB);
  EXPECT_EQ(disk.room_bytes(130 * kMiB), 0u);
  disk.set_full(true);
  EXPECT_EQ(disk.room_bytes(0), 0u);
  DiskSpec none = slow();
  none.is_present = false;
  EXPECT_EQ(SimDisk(none).room_bytes(0), 0u);
}

}  // namespace
}  // namespace kvpsi
