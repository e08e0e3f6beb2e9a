// SPDX-License-Identifier: MIT
// See policy_config_file.h.
#include "cli/policy_config_file.h"

#include <fmt/core.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <set>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "cli/suggest.h"

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
          wrong = fmt::format("'{}' is no value for {} (unit {})", text, key, field.unit);
        }
      },
      config);
  if (known) return wrong;
  const std::string near = nearest_word(std::string(key), names);
  return fmt::format("the law has no constant '{}'{}", key,
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

}  // namespace

Result<PolicyConfig> read_policy_config(const std::string& path, const PolicyConfig& base) {
  errno = 0;
  std::ifstream file(path);
  if (!file) {
    const int reason = errno;
    return fail(reason == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                "cannot open the policy configuration", path, reason);
  }
  PolicyConfig config = base;
  std::set<std::string, std::less<>> seen;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string_view text = trim_blanks(std::string_view(line).substr(0, line.find('#')));
    if (text.empty()) continue;
    const auto equals = text.find('=');
    std::string wrong = "is not of the form name = value";
    if (equals != std::string_view::npos) {
      const std::string_view key = trim_blanks(text.substr(0, equals));
      wrong = seen.emplace(key).second
                  ? set_field(config, key, trim_blanks(text.substr(equals + 1)))
                  : fmt::format("{} is set twice", key);
    }
    if (!wrong.empty()) {
      return fail(ErrorCode::invalid_argument, fmt::format("line {}: {}", number, wrong), path);
    }
  }
  if (file.bad()) return fail(ErrorCode::io, "cannot read the policy configuration", path);
  return config;
}

}  // namespace kvpsi
