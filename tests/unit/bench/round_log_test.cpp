// SPDX-License-Identifier: MIT
// Rounds logs: text both ways, windows cut as stated, cut lines refused. Stall tracks too: both are
// series that are cut to the decoding afterwards.
#include "bench/round_log.h"

#include <gtest/gtest.h>

#include "bench/stall_track.h"

namespace kvpsi {
namespace {

TEST(RoundLog, ParsesWhatItWrites) {
  const auto rounds = parse_rounds("100 10\n250 150\n");
  ASSERT_TRUE(rounds);
  EXPECT_EQ(*rounds, (std::vector<Round>{{100, 10}, {250, 150}}));
  EXPECT_TRUE(parse_rounds("")->empty());
}

TEST(RoundLog, RefusesCutAndStrangeLines) {
  for (const char* text : {"100 10\n25", "100\n", "100 10 3\n", "a b\n", "100  10\n", "-1 5\n"}) {
    const auto rounds = parse_rounds(text, "r.log");
    ASSERT_FALSE(rounds) << text;
    EXPECT_EQ(rounds.error().code, ErrorCode::malformed);
  }
  EXPECT_NE(parse_rounds("1 1\n2 x\n").error().what.find("line 2"), std::string::npos);
}

TEST(RoundLog, WindowCountsPartsOfRounds) {
  // One second; four rounds end inside, the first of them began half outside.
  const std::vector<Round> rounds = {{900'000, 100'000},   {1'050'000, 100'000},
                                     {1'300'000, 100'000}, {1'700'000, 300'000},
                                     {2'000'000, 100'000}, {2'300'000, 100'000}};
  const auto rate = rate_within(rounds, 1'000'000, 2'000'000);
  ASSERT_TRUE(rate);
  EXPECT_DOUBLE_EQ(rate->rounds_s, 3.5);
  EXPECT_NEAR(rate->p99_ms, 294, 1);
  EXPECT_FALSE(rate_within(rounds, 5'000'000, 6'000'000));
  EXPECT_FALSE(rate_within(rounds, 2'000'000, 2'000'000));
}

TEST(RoundLog, LatencyOfAllRounds) {
  const auto latency = round_latency(std::vector<Round>{{1, 1000}, {2, 3000}, {3, 2000}});
  EXPECT_DOUBLE_EQ(latency.p50, 2);
  EXPECT_DOUBLE_EQ(latency.max, 3);
  EXPECT_EQ(round_latency({}), LatencyMs{});
}

TEST(StallTrack, InterpolatesTheWindow) {
  StallTrack track;
  track.add(0, {0, 0});
  track.add(1'000'000, {500'000, 100'000});
  track.add(2'000'000, {500'000, 100'000});
  const auto first = track.within(0, 1'000'000);
  ASSERT_TRUE(first);
  EXPECT_DOUBLE_EQ(first->some_pct, 50);
  EXPECT_DOUBLE_EQ(first->full_pct, 10);
  const auto half = track.within(500'000, 1'500'000);
  ASSERT_TRUE(half);
  EXPECT_DOUBLE_EQ(half->some_pct, 25);
}

TEST(StallTrack, SaysNothingAboutWhatItDidNotSee) {
  StallTrack track;
  EXPECT_FALSE(track.within(0, 10));
  track.add(5'000'000, {0, 0});
  EXPECT_FALSE(track.within(5'000'000, 6'000'000));
  track.add(6'000'000, {0, 0});
  EXPECT_FALSE(track.within(1'000'000, 6'000'000));
  EXPECT_FALSE(track.within(5'000'000, 9'000'000));
  EXPECT_FALSE(track.within(6'000'000, 6'000'000));
  EXPECT_TRUE(track.within(5'000'000, 6'000'000));
}

}  // namespace
}  // namespace kvpsi
