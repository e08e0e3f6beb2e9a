// SPDX-License-Identifier: MIT
// Laws to compare ours with, with the signature of decide(). Pure like it. What they remember is
// the rival part of PolicyState. Must not be used to govern anything. Next hop: sim/run.h.
#pragma once

#include "policy/decide.h"

namespace kvpsi {

/// Never does anything: fixed llama.cpp.
Decided decide_nothing(const PolicyState& state, const Observation& observation,
                       const PolicyConfig& config);

/// The naive design, as the project that this one started from appears to work: once a second,
/// while the kernel's ten-second average of own stall is at least 10 %, trim a fixed quarter of the
/// live KV (kv_min_bytes is respected); nothing else. The average is rebuilt here from totals with
/// the kernel's step of 2 s (kernel/sched/psi.c).
Decided decide_avg10(const PolicyState& state, const Observation& observation,
                     const PolicyConfig& config);

}  // namespace kvpsi
