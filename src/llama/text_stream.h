// SPDX-License-Identifier: MIT
// Turns token pieces into text that may be shown at once: whole UTF-8 characters only, nothing of a
// stop string, even when it begins in one token and ends in another. Pure. Next hop: engine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvpsi {

/// Not thread-safe.
class TextStream {
 public:
  /// Empty stop strings are ignored.
  explicit TextStream(std::vector<std::string> stops);

  /// Takes one piece and returns what may be shown now. After a stop string was met it returns the
  /// text before it once and nothing any more.
  std::string push(std::string_view piece);

  /// Returns what was held back. Incomplete characters become U+FFFD. Nothing after a stop.
  std::string finish();

  /// True once a stop string was met.
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

/// The length of the longest beginning of `text` that does not end within a UTF-8 character.
/// Bytes that cannot be UTF-8 count as characters of their own.
std::size_t whole_utf8_length(std::string_view text);

/// `text` with every byte that is not part of a UTF-8 character replaced by U+FFFD, so that it can
/// stand in JSON.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace kvpsi
