// SPDX-License-Identifier: MIT
// See cmd_run_conversations.h.
#include "cli/cmd_run_conversations.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/cmd_run_summary.h"

namespace kvpsi {
namespace {

using Json = nlohmann::ordered_json;

/// What both turns of a conversation tell.
Json turn_json(const Generation& turn) {
  return {{"stop_reason", name(turn.stop_reason)},
          {"decoded", turn.decoded},
          {"text", turn.text},
          {"tok_s", tokens_per_second(turn)},
          {"latency_ms", latency_json(token_latencies_ms(turn))},
          {"decode_start_us", turn.decode_start_us},
          {"first_token_us", turn.token_t_us.empty() ? 0 : turn.token_t_us.front()},
          {"decode_end_us", turn.decode_end_us}};
}

}  // namespace

Json latency_json(const std::vector<double>& latencies_ms) {
  return {{"p50", quantile(latencies_ms, 0.5)},
          {"p99", quantile(latencies_ms, 0.99)},
          {"max", quantile(latencies_ms, 1.0)}};
}

std::vector<double> first_turn_latencies_ms(const RunRecord& record) {
  if (record.conversations.empty()) return token_latencies_ms(record.generation);
  std::vector<double> all;
  for (const ConversationOutcome& one : record.conversations) {
    const std::vector<double> own = token_latencies_ms(one.first);
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

Json conversations_json(const RunRecord& record) {
  Json list = Json::array();
  for (const ConversationOutcome& one : record.conversations) {
    Json entry{{"index", list.size()},
               {"idle", one.idle},
               {"prompt_tokens", one.first.prompt_tokens},
               {"prefilled", one.first.prefilled},
               {"prefill_start_us", one.first.prefill_start_us}};
    entry.update(turn_json(one.first));
    entry["live_tokens"] = one.live_tokens;
    entry["tokens_missing"] = one.missing_tokens;
    entry["tokens_trimmed"] = one.account.trimmed;
    entry["tokens_spoiled"] = one.account.spoiled;
    entry["tokens_restored"] = one.account.restored;
    entry["tokens_reevaluated"] = one.account.reevaluated;
    entry["tokens_lost"] = one.account.lost;
    entry["then"] = one.second ? turn_json(*one.second) : Json(nullptr);
    list.push_back(std::move(entry));
  }
  return list;
}

std::string name_those_ended_by(std::span<const ConversationOutcome> conversations,
                                StopReason reason) {
  std::string names;
  std::size_t count = 0;
  for (std::size_t i = 0; i < conversations.size(); ++i) {
    const ConversationOutcome& one = conversations[i];
    const bool second = one.second && one.second->stop_reason == reason;
    if (one.first.stop_reason != reason && !second) continue;
    names += fmt::format("{}{}", count++ == 0 ? "" : ", ", i);
  }
  if (count == 0) return {};
  return fmt::format("conversation{} {}", count == 1 ? "" : "s", names);
}

std::vector<std::string> name_losses(std::span<const ConversationOutcome> conversations) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < conversations.size(); ++i) {
    const std::uint64_t lost = conversations[i].account.lost;
    if (lost == 0) continue;
    lines.push_back(fmt::format("conversation {} lost {} tokens of its context for good", i, lost));
  }
  return lines;
}

}  // namespace kvpsi
