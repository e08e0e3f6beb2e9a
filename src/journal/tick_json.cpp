// SPDX-License-Identifier: MIT
// Writing by hand into a string (it runs ten times a second), reading through a JSON parser; both
// walk the same field tables. See tick_json.h.
#include "journal/tick_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "journal/plain_json.h"

namespace kvpsi {
namespace {

using Json = nlohmann::json;

// ---- Writing -------------------------------------------------------------------------------

using plain_json::append_value;
using plain_json::read_value;

template <class T>
  requires std::is_enum_v<T>
void append_value(std::string& out, T value) {
  fmt::format_to(std::back_inserter(out), "\"{}\"", name(value));
}

void append_value(std::string& out, const PsiTotals& psi) {
  fmt::format_to(std::back_inserter(out), "{{\"some_us_total\":{},\"full_us_total\":{}}}",
                 psi.some_us_total, psi.full_us_total);
}

template <class T>
void append_value(std::string& out, const std::optional<T>& value) {
  if (value) {
    append_value(out, *value);
  } else {
    out += "null";
  }
}

void append_key(std::string& out, std::string_view key) {
  if (out.back() != '{') out += ',';
  fmt::format_to(std::back_inserter(out), "\"{}\":", key);
}

template <class T>
void append_member(std::string& out, std::string_view key, const T& value) {
  append_key(out, key);
  append_value(out, value);
}

template <class Record>
void append_fields(std::string& out, const Record& record) {
  visit_fields(
      [&out](const Field& field, const auto& value) { append_member(out, field.name, value); },
      record);
}

template <class Record>
void append_record(std::string& out, std::string_view key, const Record& record) {
  append_key(out, key);
  out += '{';
  append_fields(out, record);
  out += '}';
}

template <class List>
void append_list(std::string& out, std::string_view key, const List& list) {
  append_key(out, key);
  out += '[';
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i != 0) out += ',';
    out += '{';
    append_fields(out, list[i]);
    out += '}';
  }
  out += ']';
}

void append_hash(std::string& out, std::string_view key, std::uint64_t hash) {
  append_key(out, key);
  fmt::format_to(std::back_inserter(out), "\"{:016x}\"", hash);
}

// ---- Reading -------------------------------------------------------------------------------

/// Collects the first thing that is wrong; later reads then do nothing.
struct Reading {
  std::string wrong;

  bool failed() const { return !wrong.empty(); }
  void fail(std::string_view path, std::string_view why) {
    if (wrong.empty()) wrong = fmt::format("{} {}", path, why);
  }
};

template <class T>
  requires std::is_enum_v<T>
bool read_value(const Json& json, T& value) {
  if (!json.is_string()) return false;
  const auto& text = json.get_ref<const std::string&>();
  for (int i = 0; name(static_cast<T>(i)) != "unknown"; ++i) {
    if (name(static_cast<T>(i)) != text) continue;
    value = static_cast<T>(i);
    return true;
  }
  return false;
}

bool read_value(const Json& json, PsiTotals& psi) {
  if (!json.is_object()) return false;
  const auto some = json.find("some_us_total");
  const auto full = json.find("full_us_total");
  return some != json.end() && full != json.end() && read_value(*some, psi.some_us_total) &&
         read_value(*full, psi.full_us_total);
}

template <class T>
bool read_value(const Json& json, std::optional<T>& value) {
  value.reset();
  if (json.is_null()) return true;
  return read_value(json, value.emplace());
}

const Json* find_member(Reading& reading, const Json& json, std::string_view path,
                        std::string_view key) {
  if (reading.failed()) return nullptr;
  const auto found = json.find(key);
  if (found != json.end()) return &*found;
  reading.fail(fmt::format("{}{}", path, key), "is missing");
  return nullptr;
}

/// Members that the first journals of this schema lack: absent means the default.
bool is_later_member(std::string_view key) {
  static constexpr std::array<std::string_view, 14> kLater{
      "hinted",        "peers_bytes",   "waiting_bytes", "draining",       "compactable_bytes",
      "spilled_bytes", "trimmed_bytes", "bytes_spilled", "bytes_restored", "tokens_restored",
      "tokens_lost",   "idle_bytes",    "parked_bytes",  "surge_bytes"};
  return std::ranges::find(kLater, key) != kLater.end();
}

template <class T>
void read_member(Reading& reading, const Json& json, std::string_view path, std::string_view key,
                 T& value) {
  if constexpr (requires { value.reset(); }) {
    // A fact that the writer did not know yet is an absent fact.
    if (!json.contains(key)) return value.reset();
  }
  if (is_later_member(key) && !json.contains(key)) return;
  const Json* member = find_member(reading, json, path, key);
  if (member != nullptr && !read_value(*member, value)) {
    reading.fail(fmt::format("{}{}", path, key), "has a wrong value");
  }
}

template <class Record>
void read_fields(Reading& reading, const Json& json, std::string_view path, Record& record) {
  if (!json.is_object()) return reading.fail(path, "is not an object");
  visit_fields(
      [&](const Field& field, auto& value) { read_member(reading, json, path, field.name, value); },
      record);
}

template <class Record>
void read_record(Reading& reading, const Json& json, std::string_view key, Record& record) {
  const Json* member = find_member(reading, json, "", key);
  if (member != nullptr) read_fields(reading, *member, fmt::format("{}.", key), record);
}

template <class List>
void read_list(Reading& reading, const Json& json, std::string_view path, std::string_view key,
               List& list) {
  const Json* member = find_member(reading, json, path, key);
  if (member == nullptr) return;
  if (!member->is_array()) return reading.fail(key, "is not a list");
  for (const Json& item : *member) {
    typename List::value_type record;
    read_fields(reading, item, fmt::format("{}[{}].", key, list.size()), record);
    if (reading.failed()) return;
    if (!list.push_back(record)) return reading.fail(key, "has too many entries");
  }
}

void read_hash(Reading& reading, const Json& json, std::string_view key, std::uint64_t& hash) {
  const Json* member = find_member(reading, json, "", key);
  if (member == nullptr) return;
  if (!member->is_string()) return reading.fail(key, "is not hex text");
  const auto& text = member->get_ref<const std::string&>();
  const bool hex =
      text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex) return reading.fail(key, "is not hex text of 16 digits");
  hash = std::strtoull(text.c_str(), nullptr, 16);
}

}  // namespace

void append_tick_json(std::string& line, const Tick& tick) {
  line += '{';
  append_key(line, "schema");
  fmt::format_to(std::back_inserter(line), "\"{}\"", kTickSchema);
  append_record(line, "sample", tick.observation.sample);
  append_list(line, "pools", tick.observation.pools);
  append_list(line, "outcomes", tick.observation.outcomes);
  append_member(line, "give_back_asked", tick.observation.give_back_asked);
  append_member(line, "paused", tick.observation.paused);
  append_member(line, "kv_soft_max_bytes", tick.observation.kv_soft_max_bytes);
  append_record(line, "signal", tick.signal);
  append_record(line, "decision", tick.decision);
  append_list(line, "actions", tick.decision.actions);
  append_hash(line, "config_hash", tick.config_hash);
  append_hash(line, "state_hash", tick.state_hash);
  append_member(line, "dry_run", tick.dry_run);
  append_member(line, "cost_us", tick.cost_us);
  line += '}';
}

std::string tick_to_json(const Tick& tick) {
  std::string line;
  append_tick_json(line, tick);
  return line;
}

Result<Tick> tick_from_json(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail(ErrorCode::malformed, "is not a JSON object");
  const auto schema = json.find("schema");
  if (schema == json.end() || *schema != kTickSchema) {
    return fail(ErrorCode::unsupported, fmt::format("is not of schema {}", kTickSchema));
  }
  Tick tick;
  Reading reading;
  read_record(reading, json, "sample", tick.observation.sample);
  read_list(reading, json, "", "pools", tick.observation.pools);
  read_list(reading, json, "", "outcomes", tick.observation.outcomes);
  read_member(reading, json, "", "give_back_asked", tick.observation.give_back_asked);
  read_member(reading, json, "", "paused", tick.observation.paused);
  read_member(reading, json, "", "kv_soft_max_bytes", tick.observation.kv_soft_max_bytes);
  read_record(reading, json, "signal", tick.signal);
  read_record(reading, json, "decision", tick.decision);
  read_list(reading, json, "", "actions", tick.decision.actions);
  read_hash(reading, json, "config_hash", tick.config_hash);
  read_hash(reading, json, "state_hash", tick.state_hash);
  read_member(reading, json, "", "dry_run", tick.dry_run);
  read_member(reading, json, "", "cost_us", tick.cost_us);
  if (reading.failed()) return fail(ErrorCode::malformed, reading.wrong);
  return tick;
}

}  // namespace kvpsi
