// SPDX-License-Identifier: MIT
// Reads a journal back, tick by tick. A file cut at any byte (crash, full disk, still being
// written) gives all its whole lines; a line that is not a tick is an error with its number.
// Must not guess at content. Next hop: journal/tick_json.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/tick.h"
#include "policy/config.h"
#include "policy/config_timeline.h"

namespace kvpsi {

/// One pass over one file. Not thread-safe.
class JournalReader {
 public:
  /// A tick has some 2 KB. Endless files end here.
  static constexpr std::size_t kMostLineBytes = std::size_t{1} << 20;

  /// Errors: not_found, permission or io, with the path.
  static Result<JournalReader> open(const std::string& path);

  /// The next tick, or nothing at the end. Errors: malformed or unsupported, "line 7: ..."; a line
  /// longer than kMostLineBytes is malformed.
  Result<std::optional<Tick>> next();

  /// The configuration in force for the last tick read; empty in a journal that names none.
  const std::optional<PolicyConfig>& config() const { return config_; }

  /// Lines read so far, a cut one included.
  std::uint64_t lines() const { return line_number_; }

  /// Whether the file ended inside a line, which was then ignored. Known once next() gave nothing.
  bool ends_in_cut_line() const { return cut_; }

 private:
  JournalReader(std::ifstream file, std::string path);
  std::unexpected<Error> refuse(const Error& error) const;
  bool read_line();

  std::ifstream file_;
  std::string path_;
  std::vector<char> buffer_;  ///< of one line
  std::string_view line_;     ///< in the buffer, without its line break
  std::optional<PolicyConfig> config_;
  std::uint64_t line_number_ = 0;
  bool cut_ = false;
};

/// A whole journal in memory.
struct Journal {
  std::vector<Tick> ticks;
  ConfigTimeline configs;  ///< those named, each from its line on
  bool ends_in_cut_line = false;
};

/// Reads all of it. Errors: as JournalReader.
Result<Journal> read_journal(const std::string& path);

}  // namespace kvpsi
