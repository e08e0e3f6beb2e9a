// SPDX-License-Identifier: MIT
// See policy_config_file.h.
#include "cli/policy_config_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "cli/suggest.h"
#include "policy/check_config.h"

namespace kvpsi {
namespace {

std::string_view trim_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

template <class T>
bool parse_whole(std::string_view text, T& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool parse_value(std::string_view text, const Field&, bool& value) {
  if (text != "true" && text != "false") return false;
  value = text == "true";
  return true;
}

bool parse_value(std::string_view text, const Field&, double& value) {
  return parse_whole(text, value) && std::isfinite(value) && value >= 0;
}

bool parse_value(std::string_view text, const Field& field, std::uint64_t& value) {
  if (field.unit != "bytes") return parse_whole(text, value);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  const Result<std::uint64_t> bytes = parse_bytes(text);
  if (bytes) value = *bytes;
  return bytes.has_value();
}

std::string kind_of(const Field&, bool) { return "true or false"; }
std::string kind_of(const Field& field, double) {
  return fmt::format("a number of unit {}", field.unit);
}
std::string kind_of(const Field& field, std::uint64_t) {
  if (field.unit == "bytes") return "a size in B, KiB, MiB, GiB or TiB, such as \"64MiB\"";
  return fmt::format("a whole number of unit {}", field.unit);
}

/// Returns what is wrong, or nothing.
std::string set_field(PolicyConfig& config, std::string_view key, std::string_view text) {
  bool known = false;
  std::string wrong;
  std::vector<std::string> names;
  visit_fields(
      [&](const Field& field, auto& value) {
        names.emplace_back(field.name);
        if (field.name != key) return;
        known = true;
        if (!parse_value(text, field, value)) {
          wrong = fmt::format("'{}' is no value for {} ({})", text, key, kind_of(field, value));
        }
      },
      config);
  if (known) return wrong;
  const std::string near = nearest_word(std::string(key), names);
  return fmt::format("the law has no constant '{}'{}", key,
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

}  // namespace

Result<PolicyConfig> apply_policy_config(std::string_view text, const std::string& path,
                                         const PolicyConfig& base) {
  PolicyConfig config = base;
  std::set<std::string, std::less<>> seen;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), whole.size() + 1));
    const std::string_view line = trim_blanks(whole.substr(0, whole.find('#')));
    if (line.empty()) continue;
    const auto equals = line.find('=');
    std::string wrong = "is not of the form name = value";
    if (equals != std::string_view::npos) {
      const std::string_view key = trim_blanks(line.substr(0, equals));
      wrong = seen.emplace(key).second
                  ? set_field(config, key, trim_blanks(line.substr(equals + 1)))
                  : fmt::format("{} is set twice", key);
    }
    if (!wrong.empty()) {
      return fail(ErrorCode::invalid_argument, fmt::format("line {}: {}", number, wrong), path);
    }
  }
  if (const auto complaint = check_policy_config(config)) {
    return fail(ErrorCode::invalid_argument, *complaint, path);
  }
  return config;
}

}  // namespace kvpsi
