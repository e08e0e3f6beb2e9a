// SPDX-License-Identifier: MIT
// The count of bytes a day: over restarts, between processes, over midnight, and with a file that
// holds something else.
#include "linux/spill_day.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "linux/kernel_file.h"
#include "support/fake_fs.h"

namespace kvpsi {
namespace {

using test::FakeFs;

class SpillDayTest : public testing::Test {
 protected:
  SpillDayTest() : fs_(FakeFs::none().with("day/note", "")) {}
  SpillDay open(std::uint64_t daily_bytes) {
    auto day = SpillDay::open(fs_.at("day"), daily_bytes);
    EXPECT_TRUE(day) << describe(day.error());
    return *std::move(day);
  }
  std::string file() const { return fs_.at(std::string("day/") + kSpillDayFile); }

  FakeFs fs_;
};

TEST_F(SpillDayTest, CountsOverRestartsAndBeginsAnewEachDay) {
  {
    SpillDay day = open(1'000);
    EXPECT_TRUE(day.charge(7, 600));
    EXPECT_EQ(day.left_bytes(7), 400U);
  }
  SpillDay day = open(1'000);
  EXPECT_EQ(day.left_bytes(7), 400U);
  EXPECT_EQ(day.left_bytes(8), 1'000U);
  const auto refused = day.charge(7, 401);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
  EXPECT_TRUE(day.charge(7, 400));
  EXPECT_TRUE(day.charge(8, 1'000));
  EXPECT_FALSE(day.charge(8, 1));
}

TEST_F(SpillDayTest, TheFileIsOneLineForPeople) {
  SpillDay day = open(1'000);
  ASSERT_TRUE(day.charge(20'000, 12));
  EXPECT_EQ(read_small_file(file()).value(), "00000000000000020000 00000000000000000012\n");
  std::ofstream(file()) << "20000 990\n";  // also as a person would write it
  EXPECT_FALSE(day.charge(20'000, 11));
  EXPECT_TRUE(day.charge(20'000, 10));
}

TEST_F(SpillDayTest, SeveralAtOnceShareOneLimit) {
  constexpr std::uint64_t kDaily = 1'000;
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> granted = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      SpillDay day = open(kDaily);
      for (int i = 0; i < 400; ++i) granted += day.charge(3, 3) ? 3 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(granted, kDaily / 3 * 3);
}

TEST_F(SpillDayTest, ForeignContentIsRefusedAndLeftAlone) {
  for (const char* const text : {"x", "1", "1 ", "1 2", "1 2\n3", "-1 2\n", "1 2 3\n", "\n",
                                 "99999999999999999999999 1\n"}) {
    std::ofstream(file()) << text;
    const auto day = SpillDay::open(fs_.at("day"), 1'000);
    ASSERT_FALSE(day) << text;
    EXPECT_EQ(day.error().code, ErrorCode::malformed);
    EXPECT_EQ(read_small_file(file()).value(), text);
  }
  std::ofstream(file()) << "";
  SpillDay day = open(1'000);
  std::ofstream(file()) << "x";
  EXPECT_EQ(day.charge(1, 1).error().code, ErrorCode::malformed);
}

TEST_F(SpillDayTest, NeitherALinkNorAMissingDirectoryWillDo) {
  std::filesystem::create_symlink("/dev/null", file());
  EXPECT_FALSE(SpillDay::open(fs_.at("day"), 1));
  EXPECT_EQ(SpillDay::open(fs_.at("nowhere"), 1).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace kvpsi
