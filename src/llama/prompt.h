// SPDX-License-Identifier: MIT
// From words to the tokens of a prompt: chat template, tokenizer, and the exact lengths that a
// benchmark asks for. Uses the model's vocabulary only, never a context. Next hop: engine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

struct llama_model;
struct llama_vocab;

namespace kvpsi {

/// llama.cpp's llama_token.
using Token = std::int32_t;

struct PromptOptions {
  std::string text;
  bool chat = false;  ///< wrap the text as a user's turn in the model's chat template
  /// Exactly this many tokens: cut, or the text repeated, as needed. 0 = as the text is.
  std::uint32_t tokens = 0;
  /// Only together: of the prompt made so far keep the first `head` tokens and as many of the last
  /// that there are `total` in all. 0 = no selection.
  std::uint32_t head = 0;
  std::uint32_t total = 0;
};

/// Makes the prompt. Errors: invalid_argument (empty prompt, head without total or larger than it),
/// unsupported (a chat template that the model lacks or llama.cpp does not know).
Result<std::vector<Token>> build_prompt(const llama_model* model, const PromptOptions& options);

/// The first `head` tokens and the last `total - head`; everything if it is no longer than `total`.
std::vector<Token> select_tokens(const std::vector<Token>& tokens, std::uint32_t head,
                                 std::uint32_t total);

/// The bytes of one token as text; special tokens give nothing.
std::string token_text(const llama_vocab* vocab, Token token);

}  // namespace kvpsi
