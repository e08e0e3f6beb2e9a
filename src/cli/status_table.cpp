// SPDX-License-Identifier: MIT
// The status table; see status_table.h. Reads the tick by the names of the field table.
#include "cli/status_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/printable.h"
#include "cli/status_answer.h"

namespace kvpsi {
namespace {

using Json = nlohmann::json;

std::string text_at(const Json& object, std::string_view name) {
  const auto at = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && at != object.end() && at->is_string()
             ? printable(at->get_ref<const std::string&>())
             : std::string("-");
}

const Json& part(const Json& object, std::string_view name) {
  static const Json kNothing = Json::object();
  const auto at = object.find(name);
  return at == object.end() ? kNothing : *at;
}

/// A number that is one: negative, fractional and larger ones than 2^64 - 1 are none.
std::optional<std::uint64_t> find_number(const Json& object, std::string_view name) {
  const Json& value = part(object, name);
  return value.is_number_unsigned() ? std::optional(value.get<std::uint64_t>()) : std::nullopt;
}

std::uint64_t number_at(const Json& object, std::string_view name) {
  return find_number(object, name).value_or(0);
}

/// A share from 0 to 1; 0 for what is none.
double share_at(const Json& object, std::string_view name) {
  const Json& value = part(object, name);
  const double share = value.is_number() ? value.get<double>() : 0;
  return share >= 0 && share <= 1 ? share : 0;
}

/// The pool's view within a tick, or an empty object.
const Json& pool_of(const Json& tick, std::string_view kind) {
  static const Json kNothing = Json::object();
  const Json& pools = part(tick, "pools");
  if (!pools.is_array()) return kNothing;
  for (const Json& pool : pools) {
    if (text_at(pool, "kind") == kind) return pool;
  }
  return kNothing;
}

/// What is left of `bytes`; three foreign numbers together may not fit into one.
std::uint64_t less(std::uint64_t bytes, std::uint64_t part_bytes) {
  return bytes - std::min(bytes, part_bytes);
}

std::string row(std::string_view what, std::uint64_t bytes, std::string_view note) {
  return fmt::format("  {:<22} {:>10}   {}\n", what, format_bytes(bytes), note);
}

/// What bounds new work: a goal that a person set, a budget of the law, or nothing (then no row).
std::string render_bounds(const Json& tick, bool is_enforced) {
  std::string rows;
  const auto goal = find_number(tick, "kv_soft_max_bytes");
  const auto budget = find_number(part(tick, "decision"), "kv_budget_bytes");
  const std::string_view reach =
      is_enforced ? "" : "; shown, not enforced: this process refuses no new work";
  if (goal) {
    rows += row("KV cache, soft maximum", *goal, fmt::format("a goal for new work{}", reach));
  }
  if (budget) {
    rows += row("KV cache, budget", *budget, fmt::format("new work may fill it this far{}", reach));
  }
  return rows;
}

/// Other governed processes that give up context too; no row where there are none.
std::string render_peers(const Json& tick) {
  const Json& sample = part(tick, "sample");
  const std::uint64_t bytes = number_at(sample, "peers_anon_bytes");
  if (bytes == 0) return {};
  const auto group = find_number(sample, "group_peers_anon_bytes");
  const std::string under =
      group ? format_bytes(*group) + " of it under our limit; " : std::string();
  return row("other governed", bytes, "anonymous; " + under + "a shortage is shared");
}

std::string render_decision(const Json& tick) {
  const Json& decision = part(tick, "decision");
  std::string line =
      fmt::format("  level {}, last decision {}: {}, need {}, stalled {:.1f} % of the last 2 s\n",
                  text_at(decision, "level"), number_at(decision, "id"),
                  text_at(decision, "reason"), format_bytes(number_at(decision, "need_bytes")),
                  share_at(part(tick, "signal"), "some_fast") * 100);
  const Json& actions = part(tick, "actions");
  for (const Json& action : actions.is_array() ? actions : Json::array()) {
    const std::uint64_t bytes = number_at(action, "bytes");
    line += fmt::format("    {} {} {}\n", text_at(action, "verb"), text_at(action, "pool"),
                        bytes == 0 ? std::string("all") : format_bytes(bytes));
  }
  return line;
}

}  // namespace

Result<std::string> render_status(const std::string& document) {
  const Json status = Json::parse(document, nullptr, false);
  if (!status.is_object() || text_at(status, "schema") != kStatusSchema) {
    return fail(ErrorCode::malformed,
                fmt::format("the answer is not a {} document", kStatusSchema));
  }
  const Json& tick = part(status, "tick");
  const Json& sample = part(tick, "sample");
  const Json& weights = part(status, "weights");
  const Json& kv = pool_of(tick, "kv");
  const Json& scratch = pool_of(tick, "scratch");
  const std::uint64_t anon = number_at(sample, "own_anon_bytes");
  const std::uint64_t weights_anon = number_at(weights, "anon_bytes");
  const std::uint64_t rest = less(less(less(anon, weights_anon), number_at(kv, "resident_bytes")),
                                  number_at(scratch, "resident_bytes"));

  std::string table = fmt::format("process {}, kvpsi {}, up {} s\n  model {}\n",
                                  number_at(status, "pid"), text_at(status, "command"),
                                  number_at(status, "uptime_s"), text_at(status, "model"));
  table += row("weights, file", number_at(weights, "file_bytes"),
               fmt::format("mapped; {} of file pages in memory",
                           format_bytes(number_at(sample, "own_file_bytes"))));
  table += row("weights, anonymous", weights_anon, "repacked or loaded without mmap");
  table += row("KV cache, live", number_at(kv, "live_bytes"),
               fmt::format("{} of {} cells hold a token", number_at(kv, "cells_live"),
                           number_at(kv, "cells_total")));
  table += row("KV cache, resident", number_at(kv, "resident_bytes"),
               fmt::format("of {} reserved; {} can go back at once",
                           format_bytes(number_at(kv, "reserved_bytes")),
                           format_bytes(number_at(kv, "releasable_bytes"))));
  table += render_bounds(tick, part(status, "kv_budget_enforced") == true);
  table += row("scratch, resident", number_at(scratch, "resident_bytes"),
               fmt::format("of {} reserved", format_bytes(number_at(scratch, "reserved_bytes"))));
  table += row("heap and the rest", rest, "anonymous, none of the above");
  table += row("anonymous in all", anon,
               fmt::format("swapped {}", format_bytes(number_at(sample, "own_swap_bytes"))));
  return table + render_peers(tick) + render_decision(tick);
}

}  // namespace kvpsi
