// SPDX-License-Identifier: MIT
// PSI text: good, missing, malformed.
#include "linux/psi_parse.h"

#include <gtest/gtest.h>

namespace kvpsi {
namespace {

constexpr const char* kGood =
    "some avg10=12.34 avg60=0.50 avg300=0.00 total=3990000\n"
    "full avg10=1.00 avg60=0.00 avg300=0.00 total=1200000\n";

TEST(PsiParse, ReadsTotalsAndAverages) {
  const auto totals = parse_psi(kGood);
  ASSERT_TRUE(totals) << describe(totals.error());
  EXPECT_EQ(*totals, (PsiTotals{.some_us_total = 3990000, .full_us_total = 1200000}));
  const auto file = parse_psi_file(kGood);
  ASSERT_TRUE(file);
  EXPECT_DOUBLE_EQ(file->some.avg10, 12.34);
  EXPECT_DOUBLE_EQ(file->some.avg60, 0.5);
  EXPECT_DOUBLE_EQ(file->full.avg10, 1.0);
}

TEST(PsiParse, TakesTheLinesInAnyOrderAndWithoutFinalLineFeed) {
  const auto totals = parse_psi("full total=2\nsome total=5");
  ASSERT_TRUE(totals);
  EXPECT_EQ(*totals, (PsiTotals{.some_us_total = 5, .full_us_total = 2}));
}

class PsiMalformed : public testing::TestWithParam<const char*> {};

TEST_P(PsiMalformed, IsRefused) {
  const auto totals = parse_psi(GetParam());
  ASSERT_FALSE(totals) << GetParam();
  EXPECT_EQ(totals.error().code, ErrorCode::malformed);
  EXPECT_FALSE(scan_psi_file(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    All, PsiMalformed,
    testing::Values("", "\n", "some total=1\n", "full total=1\n", "some total=1\nsome total=1\n",
                    "some total=1\nfull total=1\nfull total=1\n", "some total=-1\nfull total=1\n",
                    "some total=1 total=2\nfull total=1\n", "some avg10=1.00\nfull total=1\n",
                    "some total=18446744073709551616\nfull total=1\n",
                    "some total=\nfull total=1\n", "some avg10=nan total=1\nfull total=1\n",
                    "some avg10=inf total=1\nfull total=1\n",
                    "some avg10=-1.0 total=1\nfull total=1\n",
                    "some avg10=0x1 total=1\nfull total=1\n", "some total=1 new=3\nfull total=1\n",
                    "some total=1\nfull total=1\n\n", "other total=1\nfull total=1\n",
                    "sometotal=1\nfull total=1\n"));

TEST(PsiParse, ALineCanBeWrittenByHand) {
  const auto line = parse_psi_line("full total=77");
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->is_full);
  EXPECT_EQ(line->line, (PsiLine{.total = 77}));
  EXPECT_FALSE(parse_psi_line("full"));
  EXPECT_FALSE(parse_psi_line(""));
}

}  // namespace
}  // namespace kvpsi
