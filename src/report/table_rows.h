// SPDX-License-Identifier: MIT
// The two grids of table.txt: one row a run, one row a variant with its medians. Internal to
// report; table.h is the way in.
#pragma once

#include <string>

#include "bench/results.h"
#include "report/table.h"

namespace kvpsi {

/// Every run of a squeeze, grouped by order and trial.
std::string render_runs(const BenchResults& results, Squeeze squeeze, const TableOptions& options);

/// One row a variant: medians over the trials of all orders; sums for OOM kills.
std::string render_medians(const BenchResults& results, Squeeze squeeze,
                           const TableOptions& options);

}  // namespace kvpsi
