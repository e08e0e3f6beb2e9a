// SPDX-License-Identifier: MIT
// See status_answer.h.
#include "cli/status_answer.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/printable.h"
#include "journal/tick_json.h"
#include "policy/soft_max.h"

namespace kvpsi {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(std::optional<std::uint64_t> bytes) { return bytes ? Json(*bytes) : Json(nullptr); }

/// One line; a name that is no UTF-8 does not end it.
std::string to_line(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string show_bytes(const Json& answer, const char* member) {
  const Json bytes = answer.value(member, Json());
  return bytes.is_number_unsigned() ? format_bytes(bytes.get<std::uint64_t>()) : "none";
}

/// Where the answer does not say otherwise, nobody keeps to the goal.
std::string_view enforcement_clause(const Json& answer) {
  return answer.value("kv_budget_enforced", Json()) == true
             ? "; new work beyond it waits or is refused"
             : "; shown, not enforced: this process refuses no new work";
}

}  // namespace

std::string make_status_answer(const StatusFacts& facts, const std::optional<Tick>& tick) {
  return to_line(
      Json{{"schema", kStatusSchema},
           {"pid", facts.pid},
           {"command", facts.command},
           {"model", facts.model},
           {"kv_budget_enforced", facts.is_budget_enforced},
           {"tick", tick ? Json::parse(tick_to_json(*tick)) : Json(nullptr)},
           {"weights",
            {{"file_bytes", facts.weights_file_bytes}, {"anon_bytes", facts.weights_anon_bytes}}},
           {"uptime_s", facts.uptime_s}});
}

std::string warn_of_churn(std::optional<std::uint64_t> soft_max_bytes, const Tick& tick) {
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  if (kv == nullptr || !is_soft_max_churning(soft_max_bytes, kv->live_bytes)) return {};
  return fmt::format(
      "the KV soft maximum of {} is less than half of the {} that are live: where it is enforced, "
      "new work waits or is done over again until the demand falls; nothing is dropped for it",
      format_bytes(*soft_max_bytes), format_bytes(kv->live_bytes));
}

std::string make_control_answer(const StatusFacts& facts, std::optional<std::uint64_t> before_bytes,
                                std::optional<std::uint64_t> now_bytes, const Tick& tick) {
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  const std::string warning = warn_of_churn(now_bytes, tick);
  return to_line(Json{{"schema", kControlSchema},
                      {"pid", facts.pid},
                      {"kv_soft_max_bytes", to_json(now_bytes)},
                      {"kv_soft_max_bytes_before", to_json(before_bytes)},
                      {"kv_budget_enforced", facts.is_budget_enforced},
                      {"kv_live_bytes", kv == nullptr ? Json(nullptr) : Json(kv->live_bytes)},
                      {"warning", warning.empty() ? Json(nullptr) : Json(warning)}});
}

std::string make_error_answer(const Error& error) {
  return to_line(Json{{"schema", kControlSchema}, {"error", describe(error)}});
}

Result<ControlWords> describe_control_answer(const std::string& document) {
  const Json answer = Json::parse(document, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object() || answer.value("schema", Json()) != kControlSchema) {
    return fail(ErrorCode::malformed, "the process did not take the request: it does not know it");
  }
  if (const Json error = answer.value("error", Json()); error.is_string()) {
    return fail(ErrorCode::invalid_argument, printable(error.get<std::string>()));
  }
  ControlWords words;
  words.line = printable(fmt::format(
      "process {}: KV soft maximum {} (was {}), {} live{}", answer.value("pid", Json(0)).dump(),
      show_bytes(answer, "kv_soft_max_bytes"), show_bytes(answer, "kv_soft_max_bytes_before"),
      show_bytes(answer, "kv_live_bytes"), enforcement_clause(answer)));
  if (const Json warning = answer.value("warning", Json()); warning.is_string()) {
    words.warning = printable(warning.get<std::string>());
  }
  return words;
}

Result<std::string> clean_answer(const std::string& document, std::string_view schema) {
  const Json answer = Json::parse(document, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object() || answer.value("schema", Json()) != schema) {
    return fail(ErrorCode::malformed, fmt::format("the answer is not a {} document", schema));
  }
  return answer.dump(-1, ' ', /*ensure_ascii=*/true);
}

}  // namespace kvpsi
