// SPDX-License-Identifier: MIT
// Parser of PSI text (Documentation/accounting/psi.rst). Decisions use the totals only: avg10 lags
// 12 to 18 s behind relief and is for display. Pure.
// Next hop: psi_file.h reads files, FIFOs and sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "model/sample.h"

namespace kvpsi {

/// One line: averages in percent of wall time, and the counter in microseconds.
struct PsiLine {
  double avg10 = 0;
  double avg60 = 0;
  double avg300 = 0;
  std::uint64_t total = 0;
  bool operator==(const PsiLine&) const = default;
};

/// A whole file, for display.
struct PsiFileText {
  PsiLine some;
  PsiLine full;
};

/// A line with its kind.
struct PsiNamedLine {
  bool is_full = false;
  PsiLine line;
};

/// Parses "some|full [avg10=F] [avg60=F] [avg300=F] total=N"; averages may be left out, so that a
/// line can be written by hand. Empty for anything else, repeated keys included.
std::optional<PsiNamedLine> parse_psi_line(std::string_view line);

/// Parses the two lines of a memory pressure file, in any order. Empty for an empty text, a
/// missing, repeated or unknown line. Never allocates, so that it can serve the sampling loop.
std::optional<PsiFileText> scan_psi_file(std::string_view text);

/// scan_psi_file for people. Errors: malformed.
Result<PsiFileText> parse_psi_file(std::string_view text);

/// The counters of parse_psi_file. Errors: malformed.
Result<PsiTotals> parse_psi(std::string_view text);

}  // namespace kvpsi
