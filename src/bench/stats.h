// SPDX-License-Identifier: MIT
// The statistics of paired trials: medians, quantiles, a bootstrap interval. Pure, seeded.
// Next hop: verdict.h turns them into words.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace kvpsi {

/// The middle value (mean of the two middle ones); 0 for none.
double median(std::span<const double> values);

/// Quantile q (0..1) with linear interpolation between order statistics; 0 for none.
double quantile(std::span<const double> values, double q);

struct Interval {
  double lo = 0;
  double hi = 0;
};

inline constexpr std::uint32_t kBootstrapRounds = 10'000;

/// The percentile bootstrap interval of the median with 95 % nominal coverage: resamples the values
/// (paired ratios: a pair is one value, so pairs stay together). Empty below three values, where
/// resampling says nothing. For few values it is somewhat narrow: with 5 it covers about 93 %, see
/// the unit test; the verdict's other conditions make up for that.
std::optional<Interval> bootstrap_median(std::span<const double> values, std::uint64_t seed);

/// Median of `first` over median of `second`; empty where either has no value.
std::optional<double> ratio_of_medians(std::span<const double> first,
                                       std::span<const double> second);

}  // namespace kvpsi
