// SPDX-License-Identifier: MIT
// Sizes as people write and read them.
#include "base/bytes.h"

#include <gtest/gtest.h>

namespace kvpsi {
namespace {

TEST(Bytes, AreShownWithThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(kKiB), "1.00 KiB");
  EXPECT_EQ(format_bytes(12 * kKiB), "12.0 KiB");
  EXPECT_EQ(format_bytes(82 * kMiB + 300 * kKiB), "82.3 MiB");
  EXPECT_EQ(format_bytes(kGiB * 3 / 2), "1.50 GiB");
  EXPECT_EQ(format_bytes(kMiB - 1), "1.00 MiB") << "rounds up into the next unit";
  EXPECT_EQ(format_bytes(~std::uint64_t{0}), "16777216 TiB");
}

struct Case {
  const char* text;
  std::uint64_t bytes;
};

class GoodSizes : public testing::TestWithParam<Case> {};

TEST_P(GoodSizes, Parse) {
  const Result<std::uint64_t> bytes = parse_bytes(GetParam().text);
  ASSERT_TRUE(bytes) << GetParam().text;
  EXPECT_EQ(*bytes, GetParam().bytes);
}

INSTANTIATE_TEST_SUITE_P(Bytes, GoodSizes,
                         testing::Values(Case{"0", 0}, Case{"4096", 4096}, Case{"4096B", 4096},
                                         Case{"512k", 512 * kKiB}, Case{"512KiB", 512 * kKiB},
                                         Case{"64 MiB", 64 * kMiB}, Case{"1.5GiB", kGiB * 3 / 2},
                                         Case{"2G", 2 * kGiB}, Case{"2gb", 2 * kGiB},
                                         Case{"0.5m", kMiB / 2}, Case{"2TiB", 2 * kTiB},
                                         Case{"1t", kTiB}));

class BadSizes : public testing::TestWithParam<const char*> {};

TEST_P(BadSizes, AreRefusedWithTheTextAndAnExample) {
  const Result<std::uint64_t> bytes = parse_bytes(GetParam());
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(bytes.error().what.find("512MiB"), std::string::npos);
  EXPECT_NE(bytes.error().what.find(std::string("'") + GetParam() + "'"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Bytes, BadSizes,
                         testing::Values("", "-1", "MiB", "12 parsecs", "100XB", "1.2.3", "nan",
                                         "inf", "1e3", "9999999999GiB", " 5", "0x10"));

}  // namespace
}  // namespace kvpsi
