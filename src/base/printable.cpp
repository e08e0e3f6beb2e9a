// SPDX-License-Identifier: MIT
// See printable.h.
#include "base/printable.h"

#include <cstddef>

namespace kvpsi {
namespace {

/// A word of these needs no quotes in a shell.
constexpr std::string_view kPlainCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";

unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

/// Bytes of the printable character at `i`; 0 where it is a control character or no UTF-8.
std::size_t printable_length(std::string_view text, std::size_t i) {
  const unsigned lead = byte_at(text, i);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte_at(text, i + k) & 0xc0U) != 0x80) return 0;
  }
  const unsigned second = byte_at(text, i + 1);
  const bool is_c1 = lead == 0xc2 && second < 0xa0;
  const bool is_overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool is_outside = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
  return is_c1 || is_overlong || is_outside ? 0 : length;
}

void append_escaped(std::string& out, unsigned char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (byte == '\n') {
    out += "\\n";
  } else if (byte == '\t') {
    out += "\\t";
  } else {
    out += "\\x";
    out += kHex[byte >> 4U];
    out += kHex[byte & 0xfU];
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = printable_length(text, i);
    if (length == 0) {
      append_escaped(out, byte_at(text, i++));
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out;
}

std::string shell_word(std::string_view text) {
  if (!text.empty() && text.find_first_not_of(kPlainCharacters) == std::string_view::npos) {
    return std::string(text);
  }
  const bool is_printable = printable(text) == text;
  std::string out = is_printable ? "'" : "$'";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = printable_length(text, i);
    if (length == 0) {
      append_escaped(out, byte_at(text, i++));
      continue;
    }
    if (text[i] == '\'') {
      out += is_printable ? "'\\''" : "\\'";
    } else if (text[i] == '\\' && !is_printable) {
      out += "\\\\";
    } else {
      out += text.substr(i, length);
    }
    i += length;
  }
  return out + "'";
}

}  // namespace kvpsi
