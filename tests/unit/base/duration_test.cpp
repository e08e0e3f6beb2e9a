// SPDX-License-Identifier: MIT
// Times that people write, and those that are none.
#include "base/duration.h"

#include <gtest/gtest.h>

namespace kvpsi {
namespace {

TEST(Duration, UnitsAndFractions) {
  EXPECT_EQ(parse_duration_us("60s"), 60'000'000u);
  EXPECT_EQ(parse_duration_us("60"), 60'000'000u);
  EXPECT_EQ(parse_duration_us("1.5 m"), 90'000'000u);
  EXPECT_EQ(parse_duration_us("2H"), 7'200'000'000u);
  EXPECT_EQ(parse_duration_us("250ms"), 250'000u);
  EXPECT_EQ(parse_duration_us("0"), 0u);
}

TEST(Duration, WhatIsNoneSaysWhatIs) {
  for (const char* text :
       {"", "s", "-1s", "1d", "1s s", "nan", "inf", "1e400", "60,5s", "999999999h"}) {
    const auto parsed = parse_duration_us(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().what.find("such as 60s"), std::string::npos);
  }
}

}  // namespace
}  // namespace kvpsi
