// SPDX-License-Identifier: MIT
// What a reader of the results must know of the machine, and what may spoil them. Reads procfs and
// sysfs once, before the trials. Next hop: bench.
#pragma once

#include <string>

#include "base/result.h"
#include "bench/bench.h"
#include "bench/results.h"

namespace kvpsi {

/// Fills host, kernel, cpu, psi, swap, thp, model and its SHA-256, and warnings. The model is read
/// here, in the bench's own group, and dropped from the page cache before the trials.
/// Errors: not_found or io for the model.
Result<void> describe_machine(const BenchOptions& options, BenchContext& context);

}  // namespace kvpsi
