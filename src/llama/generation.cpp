// SPDX-License-Identifier: MIT
// See generation.h.
#include "llama/generation.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace kvpsi {
namespace {

/// Later in this list: more of what was asked for is missing.
int gravity(StopReason reason) {
  constexpr std::array kOrder{StopReason::length,     StopReason::eos,    StopReason::stop,
                              StopReason::time,       StopReason::kv_max, StopReason::context_full,
                              StopReason::interrupted};
  return static_cast<int>(std::ranges::find(kOrder, reason) - kOrder.begin());
}

void add(Generation& whole, const Generation& turn) {
  if (gravity(turn.stop_reason) > gravity(whole.stop_reason)) whole.stop_reason = turn.stop_reason;
  whole.prompt_tokens += turn.prompt_tokens;
  whole.prefilled += turn.prefilled;
  whole.decoded += turn.decoded;
  whole.token_t_us.insert(whole.token_t_us.end(), turn.token_t_us.begin(), turn.token_t_us.end());
  whole.tokens.insert(whole.tokens.end(), turn.tokens.begin(), turn.tokens.end());
  if (!whole.text.empty() && !turn.text.empty()) whole.text += '\n';
  whole.text += turn.text;
}

}  // namespace

void sum_first_turns(Conversations& conversations) {
  for (const ConversationOutcome& one : conversations.each) add(conversations.whole, one.first);
  std::ranges::sort(conversations.whole.token_t_us);
}

Result<void> check_seats(std::size_t asked, std::size_t staying, std::uint32_t seats) {
  if (asked <= seats || staying < seats) return {};
  return fail(ErrorCode::invalid_argument,
              fmt::format("{} of {} conversations stay in the cache, and the others would wait for "
                          "ever for one of {} sequences: raise --parallel",
                          staying, asked, seats));
}

double tokens_per_second(const Generation& generation) {
  const auto& times = generation.token_t_us;
  if (times.size() < 2 || times.back() <= times.front()) return 0;
  return static_cast<double>(times.size() - 1) * 1e6 /
         static_cast<double>(times.back() - times.front());
}

std::vector<double> token_latencies_ms(const Generation& generation) {
  std::vector<double> latencies;
  for (std::size_t i = 1; i < generation.token_t_us.size(); ++i) {
    latencies.push_back(
        static_cast<double>(generation.token_t_us[i] - generation.token_t_us[i - 1]) / 1e3);
  }
  return latencies;
}

}  // namespace kvpsi
