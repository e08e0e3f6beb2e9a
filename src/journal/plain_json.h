// SPDX-License-Identifier: MIT
// Plain values as JSON, the same for ticks and configurations: infinity is "inf", since JSON has no
// number for it. Writing appends to a string without building a document. Used inside journal/.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>

namespace kvpsi::plain_json {

inline void append_value(std::string& out, double value) {
  if (std::isfinite(value)) {
    fmt::format_to(std::back_inserter(out), "{}", value);
  } else {
    out += std::isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"";
  }
}

inline void append_value(std::string& out, bool value) { out += value ? "true" : "false"; }

template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
void append_value(std::string& out, T value) {
  fmt::format_to(std::back_inserter(out), "{}", value);
}

/// Each returns false, the value untouched, where the JSON is of another kind or does not fit.
inline bool read_value(const nlohmann::json& json, bool& value) {
  if (!json.is_boolean()) return false;
  value = json.get<bool>();
  return true;
}

inline bool read_value(const nlohmann::json& json, std::uint64_t& value) {
  if (!json.is_number_unsigned()) return false;
  value = json.get<std::uint64_t>();
  return true;
}

inline bool read_value(const nlohmann::json& json, std::int64_t& value) {
  if (!json.is_number_integer()) return false;
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{kMost}) return false;
  value = json.get<std::int64_t>();
  return true;
}

inline bool read_value(const nlohmann::json& json, double& value) {
  if (json.is_number()) {
    value = json.get<double>();
    return true;
  }
  if (json == "inf") return value = std::numeric_limits<double>::infinity(), true;
  if (json == "-inf") return value = -std::numeric_limits<double>::infinity(), true;
  if (json == "nan") return value = std::numeric_limits<double>::quiet_NaN(), true;
  return false;
}

}  // namespace kvpsi::plain_json
