// SPDX-License-Identifier: MIT
// What a person sees while a benchmark runs, and the files and words at its end.
// Next hops: report/table, report/plot.
#pragma once

#include <string>

#include "bench/bench.h"
#include "cli/command.h"
#include "cli/console.h"

namespace kvpsi {

/// One plain line a finished run; on a terminal also a line of what runs now, with the time left.
class BenchScreen {
 public:
  explicit BenchScreen(bool quiet) : quiet_(quiet), line_(quiet, 0, 0) {}
  void show(const BenchProgress& progress);
  void finish() { line_.clear(); }

 private:
  bool quiet_;
  StatusLine line_;
};

/// Writes table.txt and the plot beside results.json and prints table, rule and paths (with json
/// the results alone). A plot that cannot be drawn is a line, not a failure. Errors: io
/// (table.txt).
Result<void> present_results(const BenchResults& results, const std::string& out_dir,
                             const CommonOptions& common);

}  // namespace kvpsi
