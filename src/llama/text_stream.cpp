// SPDX-License-Identifier: MIT
// Streaming of text; see text_stream.h.
#include "llama/text_stream.h"

#include <algorithm>

namespace kvpsi {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Length of the character that `lead` begins; 0 for a byte that begins none.
std::size_t character_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// How many bytes at the start of `text` are a character or the beginning of one.
std::size_t matched_bytes(std::string_view text, std::size_t length) {
  std::size_t matched = 1;
  while (matched < std::min(length, text.size()) && is_continuation(text[matched])) ++matched;
  return matched;
}

/// Length of the longest end of `text` that begins one of the stop strings.
std::size_t stop_overlap(std::string_view text, const std::vector<std::string>& stops) {
  std::size_t overlap = 0;
  for (const std::string& stop : stops) {
    for (std::size_t n = std::min(text.size(), stop.size() - 1); n > overlap; --n) {
      if (text.ends_with(std::string_view(stop).substr(0, n))) {
        overlap = n;
        break;
      }
    }
  }
  return overlap;
}

}  // namespace

std::size_t whole_utf8_length(std::string_view text) {
  const std::size_t looked_at = std::min<std::size_t>(3, text.size());
  for (std::size_t back = 1; back <= looked_at; ++back) {
    const std::size_t at = text.size() - back;
    if (is_continuation(text[at])) continue;
    const std::size_t length = character_length(static_cast<unsigned char>(text[at]));
    return length > back ? at : text.size();
  }
  return text.size();
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = character_length(static_cast<unsigned char>(text.front()));
    const std::size_t matched = length == 0 ? 1 : matched_bytes(text, length);
    const unsigned char second = matched > 1 ? static_cast<unsigned char>(text[1]) : 0;
    const unsigned char lead = static_cast<unsigned char>(text.front());
    // Overlong forms, surrogates and values over U+10FFFF (Unicode 15, table 3-7).
    const bool out_of_range = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                              (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
    if (length != 0 && matched == length && !out_of_range) {
      clean.append(text.substr(0, length));
    } else {
      clean.append(kReplacement);
    }
    text.remove_prefix(matched);
  }
  return clean;
}

TextStream::TextStream(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string TextStream::push(std::string_view piece) {
  if (stopped_) return {};
  held_.append(piece);
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, held_.find(stop));
  if (first != std::string::npos) {
    stopped_ = true;
    std::string shown = replace_invalid_utf8(std::string_view(held_).substr(0, first));
    held_.clear();
    return shown;
  }
  const std::size_t kept = stop_overlap(held_, stops_);
  const std::size_t ready =
      whole_utf8_length(std::string_view(held_).substr(0, held_.size() - kept));
  std::string shown = replace_invalid_utf8(std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
  return shown;
}

std::string TextStream::finish() {
  if (stopped_) return {};
  std::string shown = replace_invalid_utf8(held_);
  held_.clear();
  return shown;
}

}  // namespace kvpsi
