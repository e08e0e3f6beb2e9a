// SPDX-License-Identifier: MIT
// Text from outside (file names, keys) made safe to print: no byte of it reaches a terminal as a
// command. Pure; no locale. Next hop: cli/command.cpp prints errors through it.
#pragma once

#include <string>
#include <string_view>

namespace kvpsi {

/// The text with control characters (C0, DEL, C1) and bytes that are no UTF-8 written as \n, \t or
/// \x1b. Everything else stays.
std::string printable(std::string_view text);

/// The text as one word of a bash command: as it is, in single quotes, or as $'...' where it holds
/// what printable() would rewrite.
std::string shell_word(std::string_view text);

}  // namespace kvpsi
