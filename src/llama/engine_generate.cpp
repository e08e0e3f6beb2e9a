// SPDX-License-Identifier: MIT
// Checks of what is asked, and the way into the loop; see conversation_run.h.
#include <fmt/core.h>
#include <llama.h>

#include "llama/conversation_run.h"
#include "llama/engine.h"

namespace kvpsi {

Result<void> Engine::check_prompt_length(std::size_t tokens) const {
  if (tokens < sequence_limit_) return {};
  return fail(ErrorCode::invalid_argument,
              fmt::format("the prompt has {} tokens and the context {}{}: raise -c or cut the "
                          "prompt with --prompt-tokens",
                          tokens, sequence_limit_, n_seq_max() > 1 ? " for a conversation" : ""));
}

Result<Conversations> Engine::converse(std::span<const Conversation> asked,
                                       const GenerateOptions& options, GovernedContext* governed,
                                       const std::atomic<bool>& stop) {
  std::size_t staying = 0;
  for (const Conversation& conversation : asked) {
    staying += stays_in_cache(conversation.predict, conversation.then) ? 1U : 0U;
    const auto fits = check_prompt_length(conversation.prompt.size());
    if (!fits) return std::unexpected(fits.error());
    if (conversation.prompt.empty()) {
      return fail(ErrorCode::invalid_argument, "the prompt has no tokens");
    }
  }
  if (const auto seated = check_seats(asked.size(), staying, n_seq_max()); !seated) {
    return std::unexpected(seated.error());
  }
  return ConversationRun(context_, options, governed, stop, sequence_limit_).run(asked);
}

Result<Generation> Engine::generate(const std::vector<Token>& prompt,
                                    const GenerateOptions& options, GovernedContext* governed,
                                    const std::atomic<bool>& stop) {
  const Conversation one{.prompt = prompt, .predict = options.predict};
  auto held = converse({&one, 1}, options, governed, stop);
  if (!held) return std::unexpected(held.error());
  return std::move(held->whole);
}

}  // namespace kvpsi
