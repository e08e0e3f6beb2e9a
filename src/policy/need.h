// SPDX-License-Identifier: MIT
// How many bytes the situation asks for, by measurement: the missing headroom, projected over the
// time a step takes. Stall itself has no size (at a cliff one missing page stalls as much as many);
// it only tells when the measured headroom cannot be true. Pure. Next hop: policy/ladder.h.
#pragma once

#include <cstdint>

#include "model/signal.h"
#include "policy/config.h"
#include "policy/state.h"

namespace kvpsi {

/// Learns what headroom does not show: file pages that others keep using look free, but are not.
/// When our own group goes on stalling under its limit, later than blanking_us after the first sign
/// and once the effect of the last step is known, the headroom measured now is taken for none, and
/// the page cache of others for needed, where that is more. Forgotten when calm.
void learn_unseen(PolicyState& state, const Signal& signal, std::uint64_t now_us,
                  const PolicyConfig& config);

/// The bytes that bring headroom back to its upper reserve once it is below the lower one; else 0.
/// What is unseen is subtracted from headroom when the last step has had its window; steps that
/// changed nothing then double the reserve to aim for.
std::uint64_t measure_need(const PolicyState& state, const Signal& signal, std::uint64_t now_us,
                           const PolicyConfig& config);

}  // namespace kvpsi
