// SPDX-License-Identifier: MIT
// Formatting and parsing of sizes; see bytes.h.
#include "base/bytes.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>

namespace kvpsi {

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < kKiB) return std::to_string(bytes) + " B";
  static constexpr std::array<const char*, 4> kNames = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / static_cast<double>(kKiB);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < kNames.size()) {
    value /= 1024.0;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  char text[48];
  std::snprintf(text, sizeof text, "%.*f %s", decimals, value, kNames[unit]);
  return text;
}

namespace {

/// The factor of a unit suffix in lower case, or 0 where it is none.
std::uint64_t unit_factor(std::string_view unit) {
  if (unit.empty() || unit == "b") return 1;
  if (unit == "k" || unit == "kb" || unit == "kib") return kKiB;
  if (unit == "m" || unit == "mb" || unit == "mib") return kMiB;
  if (unit == "g" || unit == "gb" || unit == "gib") return kGiB;
  if (unit == "t" || unit == "tb" || unit == "tib") return kTiB;
  return 0;
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::invalid_argument,
                "'" + std::string(text) +
                    "' is not a size; write a number and B, KiB, MiB, GiB or TiB, such as 512MiB");
  };
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || !(value >= 0)) return bad();
  std::string unit;
  for (const char* c = end; c != text.data() + text.size(); ++c) {
    if (*c == ' ' && unit.empty()) continue;
    unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
  }
  const std::uint64_t factor = unit_factor(unit);
  if (factor == 0) return bad();
  const double bytes = value * static_cast<double>(factor);
  if (bytes >= 9.2e18) {
    return fail(ErrorCode::invalid_argument,
                "'" + std::string(text) + "' is too large to be a size such as 512MiB");
  }
  return static_cast<std::uint64_t>(bytes + 0.5);
}

}  // namespace kvpsi
