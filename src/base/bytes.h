// SPDX-License-Identifier: MIT
// Sizes as people write and read them: "512MiB", "1.5 GiB". Binary units only, because pages and
// limits are binary. Pure; no locale. Next hop: cli options, report tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kvpsi {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;
inline constexpr std::uint64_t kTiB = 1024 * kGiB;

/// "0 B", "12.0 KiB", "82.3 MiB", "1.50 GiB": three significant digits.
std::string format_bytes(std::uint64_t bytes);

/// Parses "4096", "512k", "512KiB", "64 MiB", "1.5GiB", "2TiB" (case-insensitive, K = KB = KiB =
/// 1,024). Errors: invalid_argument for anything else, negative, or over 2^63; the clause quotes
/// the text, names the units and gives an example.
Result<std::uint64_t> parse_bytes(std::string_view text);

/// Bytes as a real number of MiB, for tables and plots.
constexpr double to_mib(std::uint64_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(kMiB);
}

}  // namespace kvpsi
