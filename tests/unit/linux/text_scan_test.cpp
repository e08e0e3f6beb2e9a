// SPDX-License-Identifier: MIT
// The scanning steps under every kernel parser.
#include "linux/text_scan.h"

#include <gtest/gtest.h>

namespace kvpsi {
namespace {

TEST(TextScan, TakesLinesWithAndWithoutFinalLineFeed) {
  std::string_view text = "one\n\nthree";
  EXPECT_EQ(take_line(text), "one");
  EXPECT_EQ(take_line(text), "");
  EXPECT_EQ(take_line(text), "three");
  EXPECT_TRUE(text.empty());
}

TEST(TextScan, TakesWordsBetweenBlanksAndTabs) {
  std::string_view text = "  a\t bc ";
  EXPECT_EQ(take_word(text), "a");
  EXPECT_EQ(take_word(text), "bc");
  EXPECT_EQ(take_word(text), "");
  EXPECT_EQ(take_word(text), "");
}

TEST(TextScan, ParsesWholeNumbersOnly) {
  EXPECT_EQ(parse_u64("18446744073709551615"), 18446744073709551615ULL);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x10", "18446744073709551616", "1.5"}) {
    EXPECT_FALSE(parse_u64(bad)) << bad;
  }
}

TEST(TextScan, FindsTheKeyAndNotItsPrefix) {
  const char* text = "pgscan_direct_throttle 9\npgscan_direct 4\npgscan 1\n";
  EXPECT_EQ(find_value(text, "pgscan_direct").value, 4u);
  EXPECT_EQ(find_value(text, "pgscan").value, 1u);
  EXPECT_FALSE(find_value(text, "scan").present);
}

TEST(TextScan, TellsAbsentFromMalformed) {
  EXPECT_FALSE(find_value("a 1\n", "b").is_malformed());
  EXPECT_TRUE(find_value("b x\n", "b").is_malformed());
  EXPECT_TRUE(find_value("b \n", "b").is_malformed());
  EXPECT_FALSE(find_value("b", "b").present) << "a key without anything after it is no entry";
}

TEST(TextScan, KibNeedsItsUnitAndFitsInBytes) {
  EXPECT_EQ(find_kib("RssAnon:\t   12 kB\n", "RssAnon").value, 12u * 1024);
  EXPECT_TRUE(find_kib("RssAnon:\t 12\n", "RssAnon").is_malformed());
  EXPECT_TRUE(find_kib("RssAnon:\t 12 MB\n", "RssAnon").is_malformed());
  EXPECT_TRUE(find_kib("RssAnon: 18446744073709551615 kB\n", "RssAnon").is_malformed());
}

}  // namespace
}  // namespace kvpsi
