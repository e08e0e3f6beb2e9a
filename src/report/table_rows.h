// SPDX-License-Identifier: MIT
// The grids of table.txt: one row a run, one row a variant with its medians, one row a run that
// gave context or idle tenants' memory away. Internal to report; table.h is the way in.
#pragma once

#include <string>
#include <vector>

#include "bench/results.h"
#include "report/table.h"

namespace kvpsi {

/// Every run of a squeeze, grouped by order and trial.
std::string render_runs(const BenchResults& results, Squeeze squeeze, const TableOptions& options);

/// One row a variant: medians over the trials of all orders; sums for OOM kills.
std::string render_medians(const BenchResults& results, Squeeze squeeze,
                           const TableOptions& options);

/// The trials of one squeeze: fixed-first ones together, then psi-first, each in its sequence.
std::vector<Trial> trials_of(const BenchResults& results, Squeeze squeeze);

/// "fixed-first #3".
std::string run_label(const Trial& trial);

/// Where context and idle tenants' memory went: a row for each run that may take any of it away, or
/// that had idle tenants; led by an empty line. Empty where there is none.
std::string render_account(const BenchResults& results, Squeeze squeeze,
                           const TableOptions& options);

}  // namespace kvpsi
