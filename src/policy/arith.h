// SPDX-License-Identifier: MIT
// Saturating arithmetic for numbers that come from files: counters at their extremes, shares that
// are NaN. Nothing here can overflow or trap. Used all over policy/.
#pragma once

#include <cstdint>
#include <limits>

namespace kvpsi {

/// Wide enough for any sum of a few 64-bit sizes.
using Wide = __int128;

/// The nearest value that fits.
constexpr std::int64_t saturate(Wide value) {
  constexpr Wide kLow = std::numeric_limits<std::int64_t>::min();
  constexpr Wide kHigh = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(value < kLow ? kLow : value > kHigh ? kHigh : value);
}

/// Whole bytes of a real number; 0 for negative ones and NaN, 2^62 for anything larger.
constexpr std::uint64_t to_bytes(double value) {
  constexpr double kMost = 0x1.0p62;
  if (!(value > 0)) return 0;
  return static_cast<std::uint64_t>(value < kMost ? value : kMost);
}

/// `share` of `bytes`, rounded down.
constexpr std::uint64_t share_of(std::uint64_t bytes, double share) {
  return to_bytes(static_cast<double>(bytes) * share);
}

/// a - b, but not below 0.
constexpr std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

/// The time as one to be remembered, where 0 means "never".
constexpr std::uint64_t stamp(std::uint64_t now_us) { return now_us == 0 ? 1 : now_us; }

/// Whether less than `us` have passed since then. A `since_us` of 0 means "never": false.
constexpr bool is_within(std::uint64_t now_us, std::uint64_t since_us, std::uint64_t us) {
  return since_us != 0 && minus(now_us, since_us) < us;
}

}  // namespace kvpsi
