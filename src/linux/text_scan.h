// SPDX-License-Identifier: MIT
// The few scanning steps that all kernel text files need: lines, blanks, unsigned decimals, and
// "key value" look-ups. Works on views only; never allocates, so that a sample can be taken while
// memory is short. Next hop: psi_parse, meminfo, vmstat, group_files.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kvpsi {

/// Removes and returns the first line of `text`, without its line feed.
std::string_view take_line(std::string_view& text);

/// Removes and returns the first word (no blanks or tabs in it) of `text`; leading blanks go too.
std::string_view take_word(std::string_view& text);

/// The whole of `text` as an unsigned decimal; empty for no digits, other characters or > 2^64 - 1.
std::optional<std::uint64_t> parse_u64(std::string_view text);

/// What find_value saw: an absent key is a fact the kernel does not offer, a present key without
/// a number is malformed content; the caller tells them apart.
struct FoundValue {
  bool present = false;
  std::optional<std::uint64_t> value;  ///< empty when absent or not a number

  bool is_malformed() const { return present && !value; }
};

/// Finds the line that begins with `key` followed by a blank, tab or colon, and reads its number.
FoundValue find_value(std::string_view text, std::string_view key);

/// As find_value for lines such as "MemTotal:  123 kB": requires the unit, answers bytes.
FoundValue find_kib(std::string_view text, std::string_view key);

}  // namespace kvpsi
