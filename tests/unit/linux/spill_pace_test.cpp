// SPDX-License-Identifier: MIT
// The pacing rule, fed with times: slower while others stall in the gaps, faster again after, and
// never for long.
#include "linux/spill_pace.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kvpsi {
namespace {

constexpr std::uint64_t kBlockBytes = 3'000'000;
constexpr std::uint64_t kTookUs = 10'000;  // 300 MB/s

/// Writes blocks one after the other, waiting as told; others stall for `share` of every gap.
class Writer {
 public:
  explicit Writer(double share) : share_(share) {}
  void set_share(double share) { share_ = share; }

  void write(int blocks) {
    for (int i = 0; i < blocks; ++i) {
      longest_us_ = 0;
      while (const std::uint64_t pause_us = pace_.pause_us(now_us_, stalled())) {
        longest_us_ += pause_us;
        now_us_ += pause_us;
        others_us_ += share_ * static_cast<double>(pause_us);
      }
      now_us_ += kTookUs;
      own_us_ += kTookUs;
      pace_.on_written(now_us_, kTookUs, kBlockBytes, stalled());
    }
  }
  std::uint64_t longest_us() const { return longest_us_; }
  std::uint64_t now_us_ = 1'000'000;
  SpillPace pace_;

 private:
  std::uint64_t stalled() const { return own_us_ + static_cast<std::uint64_t>(others_us_); }

  double share_;
  double others_us_ = 0;
  std::uint64_t own_us_ = 0;
  std::uint64_t longest_us_ = 0;
};

TEST(SpillPace, OwnWritingAloneIsNotSlowedDown) {
  Writer writer(0);
  const std::uint64_t began_us = writer.now_us_;
  writer.write(1'000);
  EXPECT_FALSE(writer.pace_.rate());
  EXPECT_LE(writer.now_us_ - began_us, 1'000 * kTookUs * 105 / 100);
}

TEST(SpillPace, SlowsToAQuarterWhileOthersStallAndRecovers) {
  Writer writer(0.9);
  writer.write(200);
  ASSERT_TRUE(writer.pace_.rate());
  EXPECT_NEAR(*writer.pace_.rate(), 300e6 / 4, 1e6);
  EXPECT_EQ(writer.longest_us(), 3 * kTookUs);
  writer.set_share(0);
  writer.write(200);
  EXPECT_FALSE(writer.pace_.rate());
}

TEST(SpillPace, BetweenTheTwoLimitsTheRateStays) {
  Writer writer(0.9);
  writer.write(200);
  const auto slow = writer.pace_.rate();
  writer.set_share(0.1);
  writer.write(200);
  EXPECT_EQ(writer.pace_.rate(), slow);
}

TEST(SpillPace, APauseIsBoundedOnTheSlowestDisk) {
  SpillPace pace;
  std::uint64_t now_us = 1;
  std::uint64_t longest_us = 0;
  for (int i = 0; i < 20; ++i) {
    longest_us = std::max(longest_us, pace.pause_us(now_us, now_us));
    now_us += 1'000'000;  // all of it stalled, and a write takes a minute
    pace.pause_us(now_us, now_us);
    now_us += 60'000'000;
    pace.on_written(now_us, 60'000'000, kBlockBytes, now_us);
    longest_us = std::max(longest_us, pace.pause_us(now_us, now_us));
  }
  EXPECT_GT(longest_us, 0U);
  EXPECT_LE(longest_us, SpillPace::kLongestPauseUs);
}

TEST(SpillPace, WithoutPressureFilesOrBeforeTheFirstWriteThereIsNoPause) {
  SpillPace pace;
  EXPECT_EQ(pace.pause_us(5, 5), 0U);
  pace.on_written(100'000, 50'000, kBlockBytes, std::nullopt);
  EXPECT_EQ(pace.pause_us(100'001, std::nullopt), 0U);
  EXPECT_GT(pace.pause_us(100'002, 7), 0U);
}

TEST(SpillPace, OldPressureIsForgotten) {
  Writer writer(0.9);
  writer.write(200);
  ASSERT_TRUE(writer.pace_.rate());
  writer.now_us_ += 20'000'000;
  EXPECT_EQ(writer.pace_.pause_us(writer.now_us_, 0), 0U);
  writer.set_share(0);
  writer.write(1);
  EXPECT_FALSE(writer.pace_.rate());
}

TEST(SpillPace, ACounterThatFallsIsNoStall) {
  SpillPace pace;
  pace.on_written(1'000'000, 10'000, kBlockBytes, 900'000);
  pace.pause_us(1'030'000, 100);  // the group was replaced
  pace.pause_us(1'060'000, 100);
  EXPECT_FALSE(pace.rate());
}

}  // namespace
}  // namespace kvpsi
