// SPDX-License-Identifier: MIT
// From counters to meaning: keeps the last seconds of samples and computes shares over stated
// windows from differences of totals. Must not use the kernel's averages: avg10 stays above 10 %
// for 12 s after the load has ended, the total tells within 0.6 s. Next hop: policy/levels.h.
#pragma once

#include "model/sample.h"
#include "model/signal.h"
#include "policy/config.h"
#include "policy/state.h"

namespace kvpsi {

/// Adds the sample to the history and says what it means. A counter that runs backwards, a source
/// that comes or goes, or a gap longer than sample_gap_us starts a new history: the group is
/// another one, or the machine slept. Stall shares count only what happened after
/// state.step_end_us. `surge_bytes`: the most that our pools may take at once.
Signal fuse(PolicyState& state, const Sample& sample, const PolicyConfig& config,
            std::uint64_t surge_bytes = 0);

}  // namespace kvpsi
