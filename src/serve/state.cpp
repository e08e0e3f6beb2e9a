// SPDX-License-Identifier: MIT
// See state.h.
#include "serve/state.h"

#include <nlohmann/json.hpp>

#include "journal/tick_json.h"

namespace kvpsi {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const RequestCounts& requests, const Admission& admission) {
  Json refused;
  for (const Refusal why : kRefusals) refused[std::string(name(why))] = requests.refused_for(why);
  return {{"admits", admission.admits()},        {"refusal", name(admission.refusal)},
          {"running", requests.running},         {"waiting", requests.waiting},
          {"admitted_total", requests.admitted}, {"refused_total", refused},
          {"reduced_total", requests.reduced}};
}

Json to_json(const TickTotals& totals) {
  Json level_us;
  for (std::size_t i = 0; i < TickTotals::kLevels; ++i) {
    level_us[std::string(name(static_cast<Level>(i)))] = totals.level_us[i];
  }
  Json actions;
  Json released;
  for (std::size_t i = 0; i < TickTotals::kVerbs; ++i) {
    const std::string verb(name(static_cast<Verb>(i)));
    actions[verb] = totals.actions[i];
    released[verb] = totals.bytes_released[i];
  }
  return {{"turns", totals.turns},
          {"cost_us", totals.cost_us},
          {"level_us", level_us},
          {"actions", actions},
          {"bytes_released", released},
          {"failures", totals.failures},
          {"bytes_spilled", totals.bytes_spilled},
          {"bytes_restored", totals.bytes_restored},
          {"tokens_trimmed", totals.tokens_trimmed},
          {"tokens_restored", totals.tokens_restored},
          {"tokens_lost", totals.tokens_lost}};
}

}  // namespace

std::string make_state(const ServerSnapshot& s) {
  const Json state{{"schema", kStateSchema},
                   {"version", s.version},
                   {"llama_commit", s.llama_commit},
                   {"pid", s.pid},
                   {"command", "serve"},
                   {"model", s.model},
                   {"uptime_s", s.uptime_s},
                   {"governed", s.is_governed},
                   {"not_governed", s.not_governed},
                   {"paused", s.tick && s.tick->observation.paused},
                   {"admission", to_json(s.requests, s.admission)},
                   {"totals", to_json(s.totals)},
                   {"tick", s.tick ? Json::parse(tick_to_json(*s.tick)) : Json(nullptr)}};
  // A model's name that is no UTF-8 does not end it.
  return state.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace kvpsi
