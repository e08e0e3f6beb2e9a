// SPDX-License-Identifier: MIT
// How long a benchmark still takes, judged by the runs that ended. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "bench/plan.h"

namespace kvpsi {

/// Mean seconds by squeeze and variant; a variant without a run yet counts as the mean of all, or
/// 35 s before there is any (a run of the 135M model on one core).
class Durations {
 public:
  void add(Squeeze squeeze, Variant variant, double seconds);
  double estimate(Squeeze squeeze, Variant variant) const;
  double estimate(std::span<const PlannedRun> left) const;

 private:
  struct Mean {
    double seconds = 0;
    std::uint32_t n = 0;
  };
  std::map<std::pair<Squeeze, Variant>, Mean> means_;
  Mean all_;
};

}  // namespace kvpsi
