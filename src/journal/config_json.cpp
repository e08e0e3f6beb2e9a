// SPDX-License-Identifier: MIT
// See config_json.h.
#include "journal/config_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "journal/plain_json.h"

namespace kvpsi {
namespace {

using Json = nlohmann::json;

using plain_json::append_value;
using plain_json::read_value;

std::string hash_text(const PolicyConfig& config) { return fmt::format("{:016x}", config.hash()); }

}  // namespace

std::string config_to_json(const PolicyConfig& config) {
  std::string line = fmt::format("{{\"schema\":\"{}\",\"config\":{{", kConfigSchema);
  visit_fields(
      [&line](const Field& field, const auto& value) {
        if (line.back() != '{') line += ',';
        fmt::format_to(std::back_inserter(line), "\"{}\":", field.name);
        append_value(line, value);
      },
      config);
  return line + fmt::format("}},\"config_hash\":\"{}\"}}", hash_text(config));
}

bool is_config_line(std::string_view line) {
  return line.starts_with("{\"schema\":\"kvpsi.config/");
}

Result<PolicyConfig> config_from_json(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail(ErrorCode::malformed, "is not a JSON object");
  if (json.value("schema", Json()) != kConfigSchema) {
    return fail(ErrorCode::unsupported, fmt::format("is not of schema {}", kConfigSchema));
  }
  const Json fields = json.value("config", Json());
  if (!fields.is_object()) return fail(ErrorCode::malformed, "config is missing");
  PolicyConfig config;
  std::optional<std::pair<ErrorCode, std::string>> wrong;
  std::size_t known = 0;
  visit_fields(
      [&](const Field& field, auto& value) {
        ++known;
        const auto found = fields.find(field.name);
        if (wrong) return;
        if (found == fields.end()) {
          wrong = {ErrorCode::unsupported,
                   fmt::format("config.{} is missing: another version wrote it", field.name)};
        } else if (!read_value(*found, value)) {
          wrong = {ErrorCode::malformed, fmt::format("config.{} has a wrong value", field.name)};
        }
      },
      config);
  if (wrong) return fail(wrong->first, wrong->second);
  if (fields.size() != known) {
    return fail(ErrorCode::unsupported, "config has unknown fields: another version wrote it");
  }
  if (json.value("config_hash", Json()) != hash_text(config)) {
    return fail(ErrorCode::malformed, "config_hash does not fit the config");
  }
  return config;
}

}  // namespace kvpsi
