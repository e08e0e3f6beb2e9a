// SPDX-License-Identifier: MIT
// Demand curves; see demand.h.
#include "sim/demand.h"

#include <algorithm>
#include <cmath>

#include "policy/arith.h"

namespace kvpsi {
namespace {

/// Straight lines between the points, level before the first and after the last.
std::uint64_t follow(const NeighbourSpec& neighbour, double t_s) {
  const auto& points = neighbour.trace;
  if (points.empty()) return 0;
  const auto after = std::find_if(points.begin(), points.end(),
                                  [t_s](const auto& point) { return point.first > t_s; });
  if (after == points.begin()) return points.front().second;
  if (after == points.end()) return points.back().second;
  const auto before = after - 1;
  const double share = (t_s - before->first) / (after->first - before->first);
  const auto from = static_cast<double>(before->second);
  return static_cast<std::uint64_t>(from + share * (static_cast<double>(after->second) - from));
}

}  // namespace

std::uint64_t find_demand(const NeighbourSpec& neighbour, double t_s) {
  if (t_s < neighbour.start_s || t_s >= neighbour.end_s) return 0;
  const double since_s = t_s - neighbour.start_s;
  const double periods = neighbour.period_s > 0 ? since_s / neighbour.period_s : 0;
  switch (neighbour.kind) {
    case NeighbourKind::step:
      return neighbour.bytes;
    case NeighbourKind::ramp:
      return share_of(neighbour.bytes, std::min(1.0, periods));
    case NeighbourKind::sawtooth:
      return share_of(neighbour.bytes, periods - std::floor(periods));
    case NeighbourKind::leak:
      return share_of(neighbour.bytes, periods);
    case NeighbourKind::flap:
      return periods - std::floor(periods) < 0.5 ? neighbour.bytes : 0;
    case NeighbourKind::foreign:
      return std::min(neighbour.bytes, neighbour.own_limit_bytes);
    case NeighbourKind::trace:
      return follow(neighbour, since_s);
  }
  return 0;
}

}  // namespace kvpsi
