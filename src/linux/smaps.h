// SPDX-License-Identifier: MIT
// Totals over mappings from /proc/<pid>/smaps: how much of a file (the model) is mapped, resident,
// copied or locked, or the same for one address range. The kernel walks every page table for it
// (milliseconds a GiB): for start-up, status and tests. Next hop: weights by kind in llama/,
// doctor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "linux/page_range.h"

namespace kvpsi {

/// Sums over the mappings asked for; bytes.
struct SmapsTotals {
  std::uint64_t mappings = 0;
  std::uint64_t size_bytes = 0;       ///< address space
  std::uint64_t rss_bytes = 0;        ///< resident, file pages and private copies alike
  std::uint64_t anonymous_bytes = 0;  ///< of these private copies (written to), which cannot be
                                      ///< dropped and read back
  std::uint64_t swap_bytes = 0;
  std::uint64_t locked_bytes = 0;
};

/// Incremental smaps parser: feed lines in order. Pure.
class SmapsParser {
 public:
  /// Counts mappings of the file with exactly this path as the kernel prints it.
  static SmapsParser for_file(std::string path);
  /// Counts mappings that overlap the range, each as a whole.
  static SmapsParser for_range(PageRange range);

  /// Errors: malformed for a line that is neither a mapping header nor "Key: value".
  Result<void> feed(std::string_view line);
  const SmapsTotals& totals() const { return totals_; }

 private:
  bool is_wanted(const PageRange& mapping, std::string_view path) const;
  std::string path_;
  PageRange range_;
  bool counts_ = false;
  SmapsTotals totals_;
};

/// All mappings of `file` in the process. The path is made canonical first; zero mappings is an
/// answer, not an error. Errors: not_found (the file), permission, io, malformed.
Result<SmapsTotals> smaps_of_file(const std::string& file, const std::string& proc = "/proc");

/// All mappings that overlap the range, each counted whole. Errors: permission, io, malformed.
Result<SmapsTotals> smaps_of_range(PageRange range, const std::string& proc = "/proc");

}  // namespace kvpsi
