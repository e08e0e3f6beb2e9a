// SPDX-License-Identifier: MIT
// table.txt: the results of a benchmark for people. Every run with the reference project's columns
// first and ours after them, then medians, ratios with intervals, order effect and the verdict in
// words. Pure; drops nothing that speaks against us. Next hop: text_grid lays it out.
#pragma once

#include <string>

#include "bench/results.h"

namespace kvpsi {

struct TableOptions {
  std::size_t columns = 0;  ///< width to fit into; 0 = as wide as it is (files)
  bool colour = false;      ///< ANSI colours
};

/// The whole table, ends in a newline. Never fails: what was not measured shows as "-".
std::string render_table(const BenchResults& results, const TableOptions& options = {});

/// The verdicts of one squeeze alone: ratio, interval, order effect, words. Empty if there is none.
std::string render_verdicts(const BenchResults& results, Squeeze squeeze,
                            const TableOptions& options = {});

}  // namespace kvpsi
