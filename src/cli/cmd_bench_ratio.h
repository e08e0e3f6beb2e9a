// SPDX-License-Identifier: MIT
// Paired ratios with their interval, as the comparisons within one process print them. Next hops:
// cmd_bench_at_rest, cmd_bench_rows.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>

#include "bench/stats.h"

namespace kvpsi {

struct Ratio {
  double median = 0;
  Interval ci95;  ///< zeros below three pairs
};

inline Ratio summarise_ratios(std::span<const double> ratios, std::uint64_t seed) {
  Ratio ratio{median(ratios), {}};
  if (const auto interval = bootstrap_median(ratios, seed)) ratio.ci95 = *interval;
  return ratio;
}

inline nlohmann::json to_json(const Ratio& ratio) {
  return {{"median", ratio.median}, {"ci95", {ratio.ci95.lo, ratio.ci95.hi}}};
}

}  // namespace kvpsi
