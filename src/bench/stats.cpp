// SPDX-License-Identifier: MIT
// Medians and resampling; see stats.h.
#include "bench/stats.h"

#include <algorithm>
#include <boost/math/statistics/univariate_statistics.hpp>
#include <cmath>
#include <vector>

#include "base/prng.h"

namespace kvpsi {

double median(std::span<const double> values) {
  if (values.empty()) return 0;
  std::vector<double> copy(values.begin(), values.end());
  return boost::math::statistics::median(copy);
}

double quantile(std::span<const double> values, double q) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double place = std::clamp(q, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = place - std::floor(place);
  return sorted[below] + share * (sorted[above] - sorted[below]);
}

std::optional<Interval> bootstrap_median(std::span<const double> values, std::uint64_t seed) {
  if (values.size() < 3) return std::nullopt;
  Prng prng(seed);
  std::vector<double> medians;
  medians.reserve(kBootstrapRounds);
  std::vector<double> drawn(values.size());
  for (std::uint32_t round = 0; round < kBootstrapRounds; ++round) {
    for (double& value : drawn) value = values[prng.below(values.size())];
    medians.push_back(boost::math::statistics::median(drawn));
  }
  return Interval{quantile(medians, 0.025), quantile(medians, 0.975)};
}

std::optional<double> ratio_of_medians(std::span<const double> first,
                                       std::span<const double> second) {
  const double divisor = median(second);
  if (first.empty() || second.empty() || divisor == 0) return std::nullopt;
  return median(first) / divisor;
}

}  // namespace kvpsi
