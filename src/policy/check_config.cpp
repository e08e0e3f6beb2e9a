// SPDX-License-Identifier: MIT
// See check_config.h. Tables of names, resolved through the field table, so that a rule is one
// line; a test makes sure that each name is a field.
#include "policy/check_config.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/assert.h"

namespace kvpsi {
namespace {

struct Value {
  std::string_view name;
  double number;
};

/// Beyond this a number is a slip of the pen, and sums of a few could overflow.
constexpr double kMost = static_cast<double>(std::uint64_t{1} << 50U);

/// Fields that end so are shares of something.
constexpr std::string_view kShareEndings[] = {"_share", "_some", "_full", "_drop",
                                              "efficacy_floor"};

constexpr std::string_view kNotZero[] = {"fast_window_us", "slow_window_us", "sample_gap_us",
                                         "calm_wake_us",   "watch_wake_us",  "armed_wake_us",
                                         "again_wake_us",  "step_budget_us"};

struct Pair {
  std::string_view low;
  std::string_view high;
};

constexpr Pair kNotAbove[] = {
    {"fast_window_us", "slow_window_us"},
    {"system_reserve_low_share", "system_reserve_high_share"},
    {"reserve_low_bytes", "reserve_high_bytes"},
    {"system_reserve_low_max_share", "system_reserve_high_max_share"},
    {"system_reserve_low_share", "system_reserve_low_max_share"},
    {"system_reserve_high_share", "system_reserve_high_max_share"},
    {"group_reserve_low_share", "group_reserve_high_share"},
    {"elevated_some", "high_some"},
    {"critical_time_to_empty_s", "high_time_to_empty_s"},
    {"leave_elevated_some", "elevated_some"},
    {"leave_high_some", "high_some"},
    {"leave_critical_full", "critical_full"},
    {"quiet_some", "stress_some"},
    {"futile_hold_min_us", "futile_hold_max_us"},
    {"grow_wary_share", "grow_share"},
};

/// "5000000", "0.05".
std::string show(double number) {
  std::array<char, 400> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return std::string(text.data(), end.ptr);
}

std::string show(const Value& value) {
  return std::string(value.name) + " (" + show(value.number) + ")";
}

const Value& find(const std::vector<Value>& values, std::string_view name) {
  for (const Value& value : values) {
    if (value.name == name) return value;
  }
  KVPSI_ASSERT(false && "a rule names a field that there is not");
  return values.front();
}

std::string complain(const Value& value, const std::string& clause) {
  return show(value) + " " + clause;
}

std::optional<std::string> check_alone(const Value& value) {
  if (!std::isfinite(value.number) || value.number < 0 || value.number > kMost) {
    return complain(value, "must be from 0 to " + show(kMost));
  }
  for (const std::string_view ending : kShareEndings) {
    if (value.name.ends_with(ending) && value.number > 1) {
      return complain(value, "must be a share from 0 to 1");
    }
  }
  for (const std::string_view name : kNotZero) {
    if (value.name == name && value.number == 0) return complain(value, "must be more than 0");
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> check_policy_config(const PolicyConfig& config) {
  std::vector<Value> values;
  visit_fields(
      [&values](const Field& field, const auto& value) {
        values.push_back({field.name, static_cast<double>(value)});
      },
      config);
  for (const Value& value : values) {
    if (auto complaint = check_alone(value)) return complaint;
  }
  for (const Pair& pair : kNotAbove) {
    const Value& low = find(values, pair.low);
    const Value& high = find(values, pair.high);
    if (low.number > high.number) return complain(low, "must not be above " + show(high));
  }
  const Value& cap = find(values, "kv_max_bytes");
  const Value& floor = find(values, "kv_min_bytes");
  if (cap.number != 0 && floor.number > cap.number) {
    return complain(floor, "must not be above " + show(cap));
  }
  return std::nullopt;
}

}  // namespace kvpsi
