// SPDX-License-Identifier: MIT
// See explain_json.h.
#include "report/explain_json.h"

#include <nlohmann/json.hpp>

#include "journal/config_json.h"
#include "journal/tick_json.h"

namespace kvpsi {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json outcome_json(const Outcome* outcome) {
  if (outcome == nullptr) return nullptr;
  return {{"status", name(outcome->status)},
          {"duration_us", outcome->duration_us},
          {"bytes_released", outcome->bytes_released},
          {"tokens_trimmed", outcome->tokens_trimmed},
          {"errno_value", outcome->errno_value}};
}

}  // namespace

std::string events_json(std::span<const Event> events) {
  Json list = Json::array();
  for (const Event& event : events) {
    list.push_back({{"t_s", event.t_s},
                    {"decision_id", event.decision_id},
                    {"level", name(event.level)},
                    {"reason", name(event.reason)},
                    {"sentence", event.sentence}});
  }
  return dump({{"schema", kExplainSchema}, {"events", list}});
}

std::string turn_json(std::span<const Tick> ticks, std::size_t turn, const PolicyConfig* config) {
  const Tick& tick = ticks[turn];
  Json actions = Json::array();
  for (const Action& action : tick.decision.actions) {
    actions.push_back({{"verb", name(action.verb)},
                       {"pool", name(action.pool)},
                       {"bytes", action.bytes},
                       {"outcome", outcome_json(find_outcome(ticks.subspan(turn + 1), action))}});
  }
  Json whole = {{"t_s", seconds_between(ticks.front(), tick)},
                {"decision_id", tick.decision.id},
                {"level", name(tick.decision.level)},
                {"reason", name(tick.decision.reason)},
                {"because", explain_reason(tick)},
                {"dry_run", tick.dry_run},
                {"actions", actions},
                {"config", nullptr},
                {"tick", Json::parse(tick_to_json(tick))}};
  if (config != nullptr) whole["config"] = Json::parse(config_to_json(*config))["config"];
  return dump({{"schema", kExplainSchema}, {"turn", whole}});
}

}  // namespace kvpsi
