// SPDX-License-Identifier: MIT
// Making of prompts; see prompt.h.
#include "llama/prompt.h"

#include <fmt/core.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <limits>

namespace kvpsi {
namespace {

Result<std::vector<Token>> tokenize(const llama_vocab* vocab, const std::string& text,
                                    bool add_special, bool parse_special) {
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return fail(ErrorCode::invalid_argument, "the prompt is longer than 2 GiB; cut it");
  }
  const auto length = static_cast<std::int32_t>(text.size());
  std::vector<Token> tokens(text.size() + 8);  // a token is at least one byte, plus BOS and EOS
  const std::int32_t n =
      llama_tokenize(vocab, text.data(), length, tokens.data(),
                     static_cast<std::int32_t>(tokens.size()), add_special, parse_special);
  if (n < 0) return fail(ErrorCode::invalid_argument, "llama.cpp cannot tokenize this prompt");
  tokens.resize(static_cast<std::size_t>(n));
  return tokens;
}

Result<std::string> apply_chat_template(const llama_model* model, const std::string& text) {
  const char* chat_template = llama_model_chat_template(model, nullptr);
  if (chat_template == nullptr) {
    return fail(ErrorCode::unsupported,
                "--chat: this model has no chat template; leave --chat out");
  }
  const llama_chat_message message{.role = "user", .content = text.c_str()};
  std::string wrapped(2 * text.size() + 1024, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::int32_t n =
        llama_chat_apply_template(chat_template, &message, 1, true, wrapped.data(),
                                  static_cast<std::int32_t>(wrapped.size()));
    if (n < 0) break;
    const auto size = static_cast<std::size_t>(n);
    const bool fits = size <= wrapped.size();
    wrapped.resize(size);
    if (fits) return wrapped;
  }
  return fail(
      ErrorCode::unsupported,
      "--chat: llama.cpp does not know this model's chat template; wrap the prompt by hand");
}

/// Repeats the text's tokens (without the special ones at the start) up to `wanted`, or cuts.
Result<std::vector<Token>> fit_length(const llama_vocab* vocab, const PromptOptions& options,
                                      std::vector<Token> tokens) {
  if (tokens.size() < options.tokens) {
    const auto more = tokenize(vocab, " " + options.text, false, false);
    if (!more) return more;
    if (more->empty()) return fail(ErrorCode::invalid_argument, "the prompt is empty");
    while (tokens.size() < options.tokens) {
      const std::size_t n = std::min(more->size(), options.tokens - tokens.size());
      tokens.insert(tokens.end(), more->begin(), more->begin() + static_cast<std::ptrdiff_t>(n));
    }
  }
  tokens.resize(options.tokens);
  return tokens;
}

}  // namespace

std::vector<Token> select_tokens(const std::vector<Token>& tokens, std::uint32_t head,
                                 std::uint32_t total) {
  if (tokens.size() <= total) return tokens;
  std::vector<Token> selected(tokens.begin(), tokens.begin() + head);
  selected.insert(selected.end(), tokens.end() - static_cast<std::ptrdiff_t>(total - head),
                  tokens.end());
  return selected;
}

Result<std::vector<Token>> build_prompt(const llama_model* model, const PromptOptions& options) {
  if ((options.head == 0) != (options.total == 0) || options.head > options.total) {
    return fail(ErrorCode::invalid_argument,
                "--prompt-head and --prompt-total go together, head <= total");
  }
  if (options.text.empty()) {
    return fail(ErrorCode::invalid_argument, "the prompt is empty; give one with -p or -f");
  }
  const llama_vocab* vocab = llama_model_get_vocab(model);
  std::string text = options.text;
  if (options.chat) {
    auto wrapped = apply_chat_template(model, text);
    if (!wrapped) return std::unexpected(wrapped.error());
    text = std::move(*wrapped);
  }
  // llama_chat_apply_template writes turn marks, but no BOS: that stays the tokenizer's business.
  auto tokens = tokenize(vocab, text, true, options.chat);
  if (tokens && options.tokens != 0) tokens = fit_length(vocab, options, std::move(*tokens));
  if (!tokens) return tokens;
  if (tokens->empty()) return fail(ErrorCode::invalid_argument, "the prompt has no tokens");
  if (options.total != 0) return select_tokens(*tokens, options.head, options.total);
  return tokens;
}

std::string token_text(const llama_vocab* vocab, Token token) {
  std::array<char, 256> buffer;
  const std::int32_t n = llama_token_to_piece(vocab, token, buffer.data(),
                                              static_cast<std::int32_t>(buffer.size()), 0, false);
  if (n >= 0) return std::string(buffer.data(), static_cast<std::size_t>(n));
  std::string text(static_cast<std::size_t>(-n), '\0');
  const std::int32_t again = llama_token_to_piece(vocab, token, text.data(), -n, 0, false);
  text.resize(static_cast<std::size_t>(std::max(again, 0)));
  return text;
}

}  // namespace kvpsi
