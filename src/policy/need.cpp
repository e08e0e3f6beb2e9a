// SPDX-License-Identifier: MIT
// Deficit and PSI term; see need.h.
#include "policy/need.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "policy/arith.h"

namespace kvpsi {
namespace {

/// What brings headroom back to its upper reserve once it is below the lower one, losses to others
/// until the horizon included.
std::uint64_t measure_deficit(const Signal& signal, const PolicyConfig& config) {
  if (signal.headroom_bytes == std::numeric_limits<std::int64_t>::max()) return 0;
  double projected = static_cast<double>(signal.headroom_bytes);
  if (-signal.foreign_slope >= config.slope_floor_bytes_per_s) {
    projected += signal.foreign_slope * config.horizon_s;
  }
  if (projected >= static_cast<double>(signal.reserve_low_bytes)) return 0;
  return to_bytes(static_cast<double>(signal.reserve_high_bytes) - projected);
}

/// Stall of our own although headroom looks fine: somebody's file pages do not fit. Saturates
/// early, because at a cliff a little missing memory stalls as much as a lot.
std::uint64_t measure_psi_term(const Signal& signal, std::uint64_t kv_resident_bytes,
                               const PolicyConfig& config) {
  if (signal.origin != Origin::own || !signal.reclaim_active) return 0;
  const double ratio = signal.some_fast / config.psi_goal;
  const double term = std::min(ratio * ratio - 1, config.psi_term_max);
  return to_bytes(static_cast<double>(kv_resident_bytes) * config.psi_gain * term);
}

}  // namespace

std::uint64_t measure_need(const Signal& signal, std::uint64_t kv_resident_bytes, bool settled,
                           const PolicyConfig& config) {
  const std::uint64_t deficit = measure_deficit(signal, config);
  if (!settled) return deficit;
  return std::max(deficit, measure_psi_term(signal, kv_resident_bytes, config));
}

}  // namespace kvpsi
