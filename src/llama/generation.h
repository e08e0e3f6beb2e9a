// SPDX-License-Identifier: MIT
// What can be asked of the engine and what comes of it, as plain data: one generation, and several
// conversations at once. Must not know a context. Next hops: engine.h, conversation_run.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "llama/prompt.h"
#include "llama/token_account.h"

namespace kvpsi {

struct ConversationOutcome;

struct GenerateOptions {
  std::uint32_t predict = 128;  ///< tokens to make at most; a Conversation says its own
  bool ignore_eos = false;      ///< ban every end-of-generation token
  std::vector<std::string> stops;
  double time_max_s = 0;   ///< stop decoding after this long, later turns anew; 0 = never
  double temperature = 0;  ///< 0 = greedy; else top-k 40, top-p 0.95, min-p 0.05 and this
  std::uint32_t seed = 1;

  std::function<void(std::string_view)> on_text;  ///< printable text, of whichever conversation
  /// After each prefill chunk and each token, and before the first: prompt tokens done, tokens
  /// decoded, over all conversations.
  std::function<void(std::uint32_t, std::uint32_t)> on_progress;
  std::function<void()> on_decode_start;      ///< once, between prefill and decoding
  std::function<void()> on_first_turns_over;  ///< once, before later turns, if any
  std::function<void()> on_turns_over;        ///< once, after all turns, before books are closed
  /// A conversation with something to say has said all of it: its place in the list, and the rest.
  std::function<void(std::size_t, const ConversationOutcome&)> on_conversation_end;
};

/// Why a generation ended.
enum class StopReason : std::uint8_t {
  length,        ///< `predict` tokens were made
  eos,           ///< the model ended its turn
  stop,          ///< a stop string
  time,          ///< time_max_s is over
  interrupted,   ///< the stop flag was set
  context_full,  ///< n_ctx cells hold a token
  kv_max,        ///< the cap on KV memory is reached and nothing may be trimmed
};

constexpr std::string_view name(StopReason reason) {
  switch (reason) {
    case StopReason::length:
      return "length";
    case StopReason::eos:
      return "eos";
    case StopReason::stop:
      return "stop";
    case StopReason::time:
      return "time";
    case StopReason::interrupted:
      return "interrupted";
    case StopReason::context_full:
      return "context_full";
    case StopReason::kv_max:
      return "kv_max";
  }
  return "unknown";
}

/// One generation. Times are CLOCK_MONOTONIC, microseconds.
struct Generation {
  StopReason stop_reason = StopReason::length;
  std::string text;  ///< valid UTF-8
  std::uint32_t prompt_tokens = 0;
  std::uint32_t prefilled = 0;  ///< prompt tokens that were evaluated
  std::uint32_t decoded = 0;
  std::vector<Token>
      tokens;  ///< those decoded, in order; of a sum: one conversation after the other
  std::vector<std::uint64_t> token_t_us;  ///< when each token was there
  std::uint64_t prefill_start_us = 0;
  std::uint64_t decode_start_us = 0;  ///< 0: it never came to that
  std::uint64_t decode_end_us = 0;
  std::uint64_t prefill_cpu_us = 0;
  std::uint64_t decode_cpu_us = 0;
};

/// Whether a sequence stays in the cache when its first turn, of `predict` tokens, is over.
constexpr bool stays_in_cache(std::uint32_t predict, std::uint32_t then) {
  return predict == 0 || then > 0;
}

/// What is asked of one conversation.
struct Conversation {
  std::vector<Token> prompt;
  std::uint32_t predict = 128;  ///< tokens of the first turn at most; 0: it only waits in the cache
  std::uint32_t then = 0;       ///< of the second turn, after all first turns; 0: none
};

struct ConversationOutcome {
  bool idle = false;  ///< its first turn has nothing to say: it waits in the cache
  Generation first;
  std::optional<Generation> second;  ///< where one was asked for
  /// Of its tokens those in the cache, when its sequence was removed or else at the end.
  std::uint64_t live_tokens = 0;
  std::uint64_t missing_tokens = 0;  ///< were evaluated, but not live then: trimmed and not back
  TokenAccount account;              ///< what became of its tokens until then
};

/// What came of all. `whole` is the first turns together: sums, texts joined by line feeds, times
/// of all tokens in order, and the gravest reason to stop.
struct Conversations {
  Generation whole;
  std::vector<ConversationOutcome> each;  ///< in the order asked
};

/// Fills in all of `whole` that follows from the first turns; its phase times are the caller's.
void sum_first_turns(Conversations& conversations);

/// Conversations that wait for a seat would wait for ever where those that stay take all of them.
/// Errors: invalid_argument.
Result<void> check_seats(std::size_t asked, std::size_t staying, std::uint32_t seats);

/// Tokens a second between the first and the last token; 0 for fewer than two tokens.
double tokens_per_second(const Generation& generation);

/// Milliseconds between tokens, in order (one fewer than there are tokens).
std::vector<double> token_latencies_ms(const Generation& generation);

}  // namespace kvpsi
