// SPDX-License-Identifier: MIT
// Medians and quantiles against values worked out by hand; the bootstrap interval against what a
// percentile bootstrap must do.
#include "bench/stats.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "base/prng.h"

namespace kvpsi {
namespace {

TEST(Stats, MedianOfOddEvenAndNone) {
  EXPECT_DOUBLE_EQ(median(std::array{3.0, 1.0, 2.0}), 2.0);
  EXPECT_DOUBLE_EQ(median(std::array{4.0, 1.0, 2.0, 3.0}), 2.5);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{}), 0.0);
}

TEST(Stats, QuantileInterpolatesBetweenOrderStatistics) {
  const std::array values = {10.0, 20.0, 30.0, 40.0, 50.0};
  EXPECT_DOUBLE_EQ(quantile(values, 0.0), 10.0);
  EXPECT_DOUBLE_EQ(quantile(values, 0.5), 30.0);
  EXPECT_DOUBLE_EQ(quantile(values, 0.99), 49.6);
  EXPECT_DOUBLE_EQ(quantile(values, 1.0), 50.0);
  EXPECT_DOUBLE_EQ(quantile(std::vector<double>{}, 0.5), 0.0);
}

TEST(Stats, BootstrapSaysNothingBelowThreeValues) {
  EXPECT_FALSE(bootstrap_median(std::array{1.0, 2.0}, 1));
  EXPECT_TRUE(bootstrap_median(std::array{1.0, 2.0, 3.0}, 1));
}

TEST(Stats, BootstrapIsSeededAndStaysWithinTheValues) {
  const std::array values = {0.90, 0.95, 0.97, 0.99, 1.02};
  const auto first = bootstrap_median(values, 7);
  const auto again = bootstrap_median(values, 7);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->lo, again->lo);
  EXPECT_EQ(first->hi, again->hi);
  EXPECT_GE(first->lo, 0.90);
  EXPECT_LE(first->hi, 1.02);
  EXPECT_LE(first->lo, 0.97);
  EXPECT_GE(first->hi, 0.97);
}

TEST(Stats, BootstrapOfEqualValuesIsThatValue) {
  const auto interval = bootstrap_median(std::array{2.0, 2.0, 2.0, 2.0}, 3);
  ASSERT_TRUE(interval);
  EXPECT_DOUBLE_EQ(interval->lo, 2.0);
  EXPECT_DOUBLE_EQ(interval->hi, 2.0);
}

/// How often the interval of n draws of a skewed distribution with median 1 holds 1.
double measure_coverage(std::size_t n, int experiments) {
  Prng prng(99);
  int held = 0;
  for (int i = 0; i < experiments; ++i) {
    std::vector<double> values(n);
    for (double& value : values) value = std::exp(prng.unit() - prng.unit());
    const auto interval = bootstrap_median(values, static_cast<std::uint64_t>(i));
    held += interval && interval->lo <= 1 && interval->hi >= 1 ? 1 : 0;
  }
  return static_cast<double>(held) / experiments;
}

TEST(Stats, BootstrapCoversTheTrueMedianAboutAsOftenAsItSays) {
  const double five = measure_coverage(5, 200);
  const double ten = measure_coverage(10, 200);
  EXPECT_GT(five, 0.88);
  EXPECT_GT(ten, 0.90);
  EXPECT_LT(ten, 1.0);
}

TEST(Stats, RatioOfMediansNeedsBothSides) {
  EXPECT_DOUBLE_EQ(*ratio_of_medians(std::array{2.0, 4.0}, std::array{1.0, 2.0}), 2.0);
  EXPECT_FALSE(ratio_of_medians(std::vector<double>{}, std::array{1.0}));
  EXPECT_FALSE(ratio_of_medians(std::array{1.0}, std::array{0.0}));
}

}  // namespace
}  // namespace kvpsi
