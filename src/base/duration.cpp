// SPDX-License-Identifier: MIT
// See duration.h.
#include "base/duration.h"

#include <cctype>
#include <charconv>
#include <string>

namespace kvpsi {
namespace {

/// Microseconds of a unit in lower case, or 0 where it is none.
double unit_us(std::string_view unit) {
  if (unit == "ms") return 1e3;
  if (unit.empty() || unit == "s") return 1e6;
  if (unit == "m" || unit == "min") return 60e6;
  if (unit == "h") return 3600e6;
  return 0;
}

}  // namespace

Result<std::uint64_t> parse_duration_us(std::string_view text) {
  constexpr double kHundredYearsUs = 100 * 365.25 * 24 * 3600e6;
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  std::string unit;
  for (const char* c = end; c != text.data() + text.size(); ++c) {
    if (*c == ' ' && unit.empty()) continue;
    unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
  }
  const double us = value * unit_us(unit);
  if (error != std::errc{} || !(value >= 0) || unit_us(unit) == 0 || !(us < kHundredYearsUs)) {
    return fail(
        ErrorCode::invalid_argument,
        "'" + std::string(text) + "' is not a time; write a number and ms, s, m or h, such as 60s");
  }
  return static_cast<std::uint64_t>(us + 0.5);
}

}  // namespace kvpsi
