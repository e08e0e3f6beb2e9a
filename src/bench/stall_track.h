// SPDX-License-Identifier: MIT
// Stall totals over time, sampled by the bench while a trial runs, so that the stall of a window
// that is known only afterwards (the decoding) can be told. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/results.h"
#include "model/sample.h"

namespace kvpsi {

/// Samples in time order. Not thread-safe.
class StallTrack {
 public:
  void add(std::uint64_t t_us, const PsiTotals& totals);

  /// Stall shares of [begin_us, end_us], totals interpolated between samples; empty where the
  /// samples do not reach from one end to the other (to within one sample) or the window is empty.
  std::optional<StallPct> within(std::uint64_t begin_us, std::uint64_t end_us) const;

  bool empty() const { return points_.empty(); }

 private:
  struct Point {
    std::uint64_t t_us = 0;
    PsiTotals totals;
  };
  struct Values {
    double some_us = 0;
    double full_us = 0;
  };
  Values at(std::uint64_t t_us) const;

  std::vector<Point> points_;
};

}  // namespace kvpsi
