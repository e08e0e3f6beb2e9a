// SPDX-License-Identifier: MIT
// See schedule.h.
#include "bench/schedule.h"

namespace kvpsi {

void Durations::add(Squeeze squeeze, Variant variant, double seconds) {
  for (Mean* mean : {&means_[{squeeze, variant}], &all_}) {
    mean->seconds += seconds;
    ++mean->n;
  }
}

double Durations::estimate(Squeeze squeeze, Variant variant) const {
  constexpr double kFirstGuessSeconds = 35;
  if (const auto found = means_.find({squeeze, variant}); found != means_.end()) {
    return found->second.seconds / found->second.n;
  }
  return all_.n > 0 ? all_.seconds / all_.n : kFirstGuessSeconds;
}

double Durations::estimate(std::span<const PlannedRun> left) const {
  double seconds = 0;
  for (const PlannedRun& run : left) seconds += estimate(run.squeeze, run.variant);
  return seconds;
}

}  // namespace kvpsi
