// SPDX-License-Identifier: MIT
// The space of a spill file: budgets, what stays free, what goes back to the disk, and where the
// file itself comes from and goes.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "linux/spill_file.h"
#include "support/spill_fixture.h"

namespace kvpsi {
namespace {

using test::SpillFileTest;
using Call = test::FaultyIo::Call;

TEST_F(SpillFileTest, KeepsToItsBudgetAndHasRoomAfterErasing) {
  SpillFileOptions small = options();
  small.budget_bytes = 64 * kKiB;
  const auto file = open(small);
  EXPECT_EQ(file->room_bytes(), 64 * kKiB);
  std::vector<SpillBlock> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(write(*file, 13'000).value());
  EXPECT_EQ(file->room_bytes(), 0U);
  EXPECT_EQ(write(*file, 1).error().code, ErrorCode::exhausted);
  file->erase(blocks[1]);
  EXPECT_EQ(file->room_bytes(), 16 * kKiB);
  EXPECT_EQ(write(*file, 16'000)->offset, blocks[1].offset) << "the hole is filled first";
  EXPECT_EQ(file->use().budget_bytes, 64 * kKiB);
}

TEST_F(SpillFileTest, LeavesTheDiskWhatItIsToldTo) {
  SpillFileOptions keeping = options();
  keeping.place.keep_free_bytes = 10 * kGiB;
  io_.space = DiskSpace{.total_bytes = 100 * kGiB, .free_bytes = 10 * kGiB + 64 * kMiB};
  const auto file = open(keeping);
  EXPECT_EQ(file->room_bytes(), 64 * kMiB);
  io_.space->free_bytes = 10 * kGiB + 100 * kKiB;
  EXPECT_TRUE(write(*file, 100'000));
  EXPECT_EQ(write(*file, 200'000).error().code, ErrorCode::exhausted);
  const auto refused = SpillFile::open(keeping, io_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
}

TEST_F(SpillFileTest, TakesAtMostHalfOfTheFreeDisk) {
  io_.space = DiskSpace{.total_bytes = 10 * kGiB, .free_bytes = 2 * kGiB};
  EXPECT_EQ(open()->use().budget_bytes, 1 * kGiB);
}

TEST_F(SpillFileTest, ErasedSpaceReturnsToTheDisk) {
  const auto file = open();
  std::vector<SpillBlock> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(write(*file, 256 * kKiB).value());
  const auto on_disk = [&] {
    struct stat status{};
    EXPECT_EQ(::fstat(file->fd(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  };
  EXPECT_GE(on_disk(), 40 * 256 * kKiB);
  for (std::size_t i = 0; i < blocks.size(); i += 2) file->erase(blocks[i]);
  while (file->return_space()) {
  }
  EXPECT_LE(on_disk(), 21 * 256 * kKiB);
  EXPECT_TRUE(comes_back(*file, blocks.back()).value()) << "its neighbours were punched out";
  for (std::size_t i = 1; i < blocks.size(); i += 2) file->erase(blocks[i]);
  while (file->return_space()) {
  }
  EXPECT_LE(on_disk(), 64 * kKiB);
  EXPECT_EQ(file->use().held_bytes, 0U);
}

TEST_F(SpillFileTest, WithoutHolesTheTailIsCutAndTheFileStaysWithinTheBudget) {
  SpillFileOptions small = options();
  small.budget_bytes = 64 * kKiB;
  const auto file = open(small);
  io_.rule = [](Call call, std::size_t) -> std::optional<long> {
    return call == Call::punch ? std::optional<long>(-EOPNOTSUPP) : std::nullopt;
  };
  std::vector<SpillBlock> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(write(*file, 16 * kKiB).value());
  file->erase(blocks[0]);
  file->erase(blocks[2]);
  EXPECT_FALSE(file->return_space());
  EXPECT_EQ(write(*file, 32 * kKiB).error().code, ErrorCode::exhausted) << "only in two pieces";
  file->erase(blocks[3]);
  EXPECT_FALSE(file->return_space());
  struct stat status{};
  ASSERT_EQ(::fstat(file->fd(), &status), 0);
  EXPECT_EQ(status.st_size, 32 * 1024);
  const auto block = write(*file, 32 * kKiB);
  ASSERT_TRUE(block);
  EXPECT_TRUE(comes_back(*file, *block).value());
}

TEST_F(SpillFileTest, AHoleThatFailsIsTriedAgainLater) {
  const auto file = open();
  file->erase(write(*file, 16 * kKiB).value());
  bool fails = true;
  int punched = 0;
  io_.rule = [&](Call call, std::size_t) -> std::optional<long> {
    punched += call == Call::punch ? 1 : 0;
    return call == Call::punch && fails ? std::optional<long>(-EIO) : std::nullopt;
  };
  EXPECT_FALSE(file->return_space()) << "no endless loop";
  fails = false;
  EXPECT_FALSE(file->return_space());
  EXPECT_EQ(punched, 2);
  EXPECT_FALSE(file->return_space());
  EXPECT_EQ(punched, 2) << "nothing is left to punch";
}

TEST_F(SpillFileTest, WorksWithoutUnnamedFilesAndLeavesNoName) {
  io_.rule = [](Call call, std::size_t) -> std::optional<long> {
    return call == Call::open ? std::optional<long>(-EOPNOTSUPP) : std::nullopt;
  };
  const std::string dead = dir_.path() + "/kvpsi-spill-2147483646-5";
  const std::string alive = dir_.path() + "/kvpsi-spill-1-5";
  const std::string other = dir_.path() + "/kvpsi-spill-notes";
  for (const std::string& name : {dead, alive, other}) std::ofstream(name) << "x";
  const auto file = open();
  EXPECT_FALSE(std::filesystem::exists(dead)) << "its process died before it could unlink it";
  EXPECT_TRUE(std::filesystem::exists(alive) && std::filesystem::exists(other));
  const auto names = std::distance(std::filesystem::directory_iterator(dir_.path()),
                                   std::filesystem::directory_iterator());
  EXPECT_EQ(names, 2);
  const SpillBlock block = write(*file, 9'000).value();
  EXPECT_TRUE(comes_back(*file, block).value());
}

TEST_F(SpillFileTest, WorksOnWhenTheDirectoryIsRemoved) {
  const auto file = open();
  const SpillBlock before = write(*file, 9'000).value();
  EXPECT_TRUE(comes_back(*file, before).value());
  std::filesystem::remove_all(dir_.path());
  const SpillBlock after = write(*file, 9'000).value();
  EXPECT_TRUE(comes_back(*file, after).value());
}

TEST_F(SpillFileTest, TheDailyLimitHoldsOverARestart) {
  SpillFileOptions daily = options();
  daily.daily_bytes = 40 * kKiB;
  const std::uint64_t before_day = spill_day_now();
  {
    const auto file = open(daily);
    file->erase(write(*file, 16 * kKiB).value());
    EXPECT_EQ(file->room_bytes(), 24 * kKiB);
  }
  const auto file = open(daily);
  ASSERT_TRUE(write(*file, 16 * kKiB));
  const auto refused = write(*file, 16 * kKiB);
  if (spill_day_now() != before_day) GTEST_SKIP() << "midnight (UTC) came in between";
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
  EXPECT_TRUE(write(*file, 8 * kKiB)) << "what is left may be written";
}

}  // namespace
}  // namespace kvpsi
