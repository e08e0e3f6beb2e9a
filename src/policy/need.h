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
/// When our own group goes on stalling under its limit although the last step has had a whole
/// window to help (`settled`), the headroom measured now is taken for none. Forgotten when calm.
void learn_unseen(PolicyState& state, const Signal& signal, bool settled,
                  const PolicyConfig& config);

/// The bytes that bring headroom, less what is unseen, back to its upper reserve once it is below
/// the lower one; else 0. Steps that changed nothing double the reserve to aim for.
std::uint64_t measure_need(const PolicyState& state, const Signal& signal,
                           const PolicyConfig& config);

}  // namespace kvpsi
