// SPDX-License-Identifier: MIT
// See status_request.h.
#include "cli/status_request.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "policy/soft_max.h"

namespace kvpsi {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSoftMaxVerb = "kv-soft-max ";
constexpr std::string_view kControlSchema = "kvpsi.control/1";

Json to_json(std::optional<std::uint64_t> bytes) { return bytes ? Json(*bytes) : Json(nullptr); }

std::string show_goal(const Json& bytes) {
  return bytes.is_number_unsigned() ? format_bytes(bytes.get<std::uint64_t>()) : "none";
}

}  // namespace

std::string format_status_request(const StatusRequest& request) {
  if (!request.sets_soft_max) return "status";
  return fmt::format("{}{}", kSoftMaxVerb,
                     request.soft_max_bytes ? std::to_string(*request.soft_max_bytes) : "none");
}

Result<std::optional<std::uint64_t>> parse_soft_max(std::string_view text) {
  if (text == "none") return std::optional<std::uint64_t>();
  const auto bytes = parse_bytes(text);
  if (!bytes) return std::unexpected(bytes.error());
  return *bytes == 0 ? std::nullopt : std::optional(*bytes);
}

Result<StatusRequest> parse_status_request(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty() || line == "status") return StatusRequest();
  if (!line.starts_with(kSoftMaxVerb)) {
    return fail(ErrorCode::invalid_argument,
                "this version answers status and kv-soft-max SIZE|none");
  }
  const auto bytes = parse_soft_max(line.substr(kSoftMaxVerb.size()));
  if (!bytes) return std::unexpected(bytes.error());
  return StatusRequest{.sets_soft_max = true, .soft_max_bytes = *bytes};
}

std::string warn_of_churn(std::optional<std::uint64_t> soft_max_bytes, const Tick& tick) {
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  if (kv == nullptr || !is_soft_max_churning(soft_max_bytes, kv->live_bytes)) return {};
  return fmt::format(
      "the KV soft maximum of {} is less than half of the {} that are live: new work will wait or "
      "be done over again until the demand falls; nothing is dropped for it",
      format_bytes(*soft_max_bytes), format_bytes(kv->live_bytes));
}

std::string make_control_answer(int pid, std::optional<std::uint64_t> before_bytes,
                                std::optional<std::uint64_t> now_bytes, const Tick& tick) {
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  const std::string warning = warn_of_churn(now_bytes, tick);
  const Json answer{{"schema", kControlSchema},
                    {"pid", pid},
                    {"kv_soft_max_bytes", to_json(now_bytes)},
                    {"kv_soft_max_bytes_before", to_json(before_bytes)},
                    {"kv_live_bytes", kv == nullptr ? Json(nullptr) : Json(kv->live_bytes)},
                    {"warning", warning.empty() ? Json(nullptr) : Json(warning)}};
  return answer.dump();
}

std::string make_error_answer(const Error& error) {
  return Json{{"schema", kControlSchema}, {"error", describe(error)}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

Result<ControlWords> describe_control_answer(const std::string& document) {
  const Json answer = Json::parse(document, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object() || answer.value("schema", Json()) != kControlSchema) {
    return fail(ErrorCode::malformed, "the process did not take the request: it does not know it");
  }
  if (const Json error = answer.value("error", Json()); error.is_string()) {
    return fail(ErrorCode::invalid_argument, error.get<std::string>());
  }
  ControlWords words;
  words.line = fmt::format("process {}: KV soft maximum {} (was {}), {} live",
                           answer.value("pid", Json(0)).dump(),
                           show_goal(answer.value("kv_soft_max_bytes", Json())),
                           show_goal(answer.value("kv_soft_max_bytes_before", Json())),
                           show_goal(answer.value("kv_live_bytes", Json())));
  if (const Json warning = answer.value("warning", Json()); warning.is_string()) {
    words.warning = warning.get<std::string>();
  }
  return words;
}

}  // namespace kvpsi
