// SPDX-License-Identifier: MIT
// Typed access to JSON members; see scenario_fields.h.
#include "sim/scenario_fields.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/bytes.h"

namespace kvpsi {
namespace {

/// Larger times and counts are slips of the pen.
constexpr double kMostNumber = 1e9;

}  // namespace

std::optional<std::uint64_t> read_size(const nlohmann::json& value, const std::string& where,
                                       Complaint& complaint) {
  if (!value.is_string()) {
    complaint.say(where, "a size is text with a unit, such as \"100MiB\"");
    return std::nullopt;
  }
  const auto& text = value.get_ref<const std::string&>();
  const auto bytes = parse_bytes(text);
  if (!bytes) {
    complaint.say(where, bytes.error().what);
    return std::nullopt;
  }
  if (*bytes > kMostBytes) {
    complaint.say(where, "\"" + text + "\" is more than 1 PiB");
    return std::nullopt;
  }
  return *bytes;
}

Fields::Fields(const nlohmann::json& object, std::string path, Complaint& complaint)
    : object_(object), path_(std::move(path)), complaint_(complaint) {
  if (!object_.is_object()) complaint_.say(path_.empty() ? "scenario" : path_, "must be an object");
}

Fields::~Fields() {
  if (!object_.is_object()) return;
  for (const auto& item : object_.items()) {
    if (std::find(asked_.begin(), asked_.end(), item.key()) == asked_.end()) {
      complaint_.say(at(item.key()), "unknown key");
    }
  }
}

std::string Fields::at(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

bool Fields::has(std::string_view key) const {
  return object_.is_object() && object_.contains(std::string(key));
}

const nlohmann::json* Fields::find(std::string_view key) {
  asked_.emplace_back(key);
  if (!object_.is_object()) return nullptr;
  const auto it = object_.find(std::string(key));
  return it == object_.end() ? nullptr : &*it;
}

void Fields::need(std::string_view key) {
  if (!has(key)) complain(key, "is missing");
}

void Fields::complain(std::string_view key, const std::string& clause) {
  complaint_.say(at(key), clause);
}

void Fields::read_bytes(std::string_view key, std::uint64_t& into) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return;
  if (const auto bytes = read_size(*value, at(key), complaint_)) into = *bytes;
}

void Fields::read_rate(std::string_view key, double& into) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return;
  const auto bytes = read_size(*value, at(key), complaint_);
  if (bytes && *bytes == 0) complain(key, "must be more than 0");
  if (bytes) into = static_cast<double>(*bytes);
}

std::optional<double> Fields::number(std::string_view key) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const double number = value->is_number() ? value->get<double>() : -1;
  if (!(number >= 0) || number > kMostNumber) {
    complain(key, "must be a number from 0 to 1e9");
    return std::nullopt;
  }
  return number;
}

void Fields::read_count(std::string_view key, std::uint64_t& into) {
  const auto value = number(key);
  if (!value) return;
  if (*value != std::floor(*value)) return complain(key, "must be a whole number");
  into = static_cast<std::uint64_t>(*value);
}

void Fields::read_seconds(std::string_view key, double& into) {
  if (const auto value = number(key)) into = *value;
}

void Fields::read_positive(std::string_view key, double& into) {
  const auto value = number(key);
  if (!value) return;
  if (*value <= 0) return complain(key, "must be more than 0");
  into = *value;
}

void Fields::read_share(std::string_view key, double& into) {
  const auto value = number(key);
  if (!value) return;
  if (*value > 1) return complain(key, "must be a share from 0 to 1");
  into = *value;
}

void Fields::read_flag(std::string_view key, bool& into) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_boolean()) return complain(key, "must be true or false");
  into = value->get<bool>();
}

void Fields::read_text(std::string_view key, std::string& into) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_string()) return complain(key, "must be text");
  into = value->get<std::string>();
}

const nlohmann::json* Fields::array(std::string_view key) {
  const nlohmann::json* value = find(key);
  if (value != nullptr && !value->is_array()) {
    complain(key, "must be a list");
    return nullptr;
  }
  return value;
}

const nlohmann::json* Fields::object(std::string_view key) { return find(key); }

}  // namespace kvpsi
