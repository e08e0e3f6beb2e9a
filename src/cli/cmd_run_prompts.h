// SPDX-License-Identifier: MIT
// What several conversations are read from: JSON Lines, or plain text with a line between them.
// Knows no model; whoever makes tokens of it says `where` when one does not fit. Next hop:
// cmd_run_session.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// Tokens that can be asked for at most.
inline constexpr std::uint32_t kMaxTokens = 1U << 30;

/// One conversation, as a person asked for it.
struct PromptEntry {
  std::string text;
  std::uint32_t predict = 128;
  std::uint32_t then = 0;    ///< tokens of a second turn
  std::uint32_t tokens = 0;  ///< length of the prompt, as PromptOptions::tokens
  std::string where;         ///< "FILE:LINE"; empty for the only one
};

/// The file's text, "-" is stdin. Errors: not_found, permission, invalid_argument (also: empty).
Result<std::string> read_prompt_file(const std::string& path);

/// One JSON object a line, blank lines aside: prompt, and if wanted predict, then, prompt_tokens;
/// `defaults` gives the rest. Errors: malformed, naming file and line.
Result<std::vector<PromptEntry>> parse_prompts(std::string_view text, const std::string& path,
                                               const PromptEntry& defaults);

/// Texts with a line `---` between them; the line feed before it belongs to none. Errors: malformed
/// for an empty one, naming file and line.
Result<std::vector<PromptEntry>> split_prompts(std::string_view text, const std::string& path,
                                               const PromptEntry& defaults);

}  // namespace kvpsi
