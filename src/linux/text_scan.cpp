// SPDX-License-Identifier: MIT
// Scanning of kernel text; see text_scan.h.
#include "linux/text_scan.h"

#include <charconv>
#include <limits>

namespace kvpsi {
namespace {

/// The rest of the line that starts with `key`, or a null view where no line does.
std::string_view find_rest(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (line.size() <= key.size() || !line.starts_with(key)) continue;
    const char next = line[key.size()];
    if (next == ' ' || next == '\t' || next == ':') return line.substr(key.size() + 1);
  }
  return {};
}

}  // namespace

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string_view take_word(std::string_view& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    text = {};
    return {};
  }
  text.remove_prefix(begin);
  const std::size_t end = text.find_first_of(" \t");
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> parse_u64(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

FoundValue find_value(std::string_view text, std::string_view key) {
  std::string_view rest = find_rest(text, key);
  if (rest.data() == nullptr) return {};
  return {.present = true, .value = parse_u64(take_word(rest))};
}

FoundValue find_kib(std::string_view text, std::string_view key) {
  std::string_view rest = find_rest(text, key);
  if (rest.data() == nullptr) return {};
  const auto kib = parse_u64(take_word(rest));
  const bool is_kib = take_word(rest) == "kB";
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max() / 1024;
  if (!kib || !is_kib || *kib > kMost) return {.present = true, .value = std::nullopt};
  return {.present = true, .value = *kib * 1024};
}

}  // namespace kvpsi
