// SPDX-License-Identifier: MIT
// Claims that no ratio of speeds can settle: that nothing is lost. They hold in every run or not at
// all, so one counterexample contradicts them. Pure. Next hop: verdict puts them behind the ratios.
#pragma once

#include <vector>

#include "bench/results.h"

namespace kvpsi {

/// Of psi's runs that ended well: where it may not trim, that the text is the ungoverned one (later
/// turns included) and nothing was trimmed; where it may, that all of what was trimmed is back at
/// the end. `ratio_median` is the share of runs for the first, and for the second the median share
/// of tokens; `n` counts runs. None where no run can tell.
std::vector<Verdict> judge_account(const BenchResults& results, const SqueezeContext& context);

}  // namespace kvpsi
