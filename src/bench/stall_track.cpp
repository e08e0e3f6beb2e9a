// SPDX-License-Identifier: MIT
// See stall_track.h.
#include "bench/stall_track.h"

#include <algorithm>

namespace kvpsi {
namespace {

constexpr std::uint64_t kSlackUs = 500'000;

double mix(std::uint64_t a, std::uint64_t b, double share) {
  return static_cast<double>(a) + share * (static_cast<double>(b) - static_cast<double>(a));
}

}  // namespace

void StallTrack::add(std::uint64_t t_us, const PsiTotals& totals) {
  points_.push_back({t_us, totals});
}

StallTrack::Values StallTrack::at(std::uint64_t t_us) const {
  const auto after = std::ranges::lower_bound(points_, t_us, {}, &Point::t_us);
  const auto values = [](const Point& point) {
    return Values{static_cast<double>(point.totals.some_us_total),
                  static_cast<double>(point.totals.full_us_total)};
  };
  if (after == points_.begin()) return values(points_.front());
  if (after == points_.end()) return values(points_.back());
  const Point& left = *(after - 1);
  const Point& right = *after;
  const double share =
      static_cast<double>(t_us - left.t_us) / static_cast<double>(right.t_us - left.t_us);
  return {mix(left.totals.some_us_total, right.totals.some_us_total, share),
          mix(left.totals.full_us_total, right.totals.full_us_total, share)};
}

std::optional<StallPct> StallTrack::within(std::uint64_t begin_us, std::uint64_t end_us) const {
  if (points_.size() < 2 || end_us <= begin_us) return std::nullopt;
  if (points_.front().t_us > begin_us + kSlackUs || points_.back().t_us + kSlackUs < end_us) {
    return std::nullopt;
  }
  const Values begin = at(begin_us);
  const Values end = at(end_us);
  const auto wall = static_cast<double>(end_us - begin_us);
  return StallPct{100 * (end.some_us - begin.some_us) / wall,
                  100 * (end.full_us - begin.full_us) / wall};
}

}  // namespace kvpsi
