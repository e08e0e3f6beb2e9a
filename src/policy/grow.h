// SPDX-License-Identifier: MIT
// Growing back: how much live KV new work may fill. Cut at once under pressure, raised after a
// hold, in steps, remembering the size that hurt. Must not drop anything: that is the ladder's
// business; a running answer goes on past the budget. Next hop: MemoryPool::set_budget.
#pragma once

#include <cstdint>
#include <optional>

#include "model/pool_view.h"
#include "model/signal.h"
#include "policy/config.h"
#include "policy/state.h"

namespace kvpsi {

/// Moves the budget and returns it: the most live KV bytes that admission, prefill and restore may
/// fill; empty while nothing is bounded or there is no KV pool. Above calm it is what is live, plus
/// the headroom above the upper reserve (at high and critical less the page cache of others in the
/// group); in calm it grows to what fits.
std::optional<std::uint64_t> update_budget(PolicyState& state, const Signal& signal,
                                           const PoolViews& pools, std::uint64_t now_us,
                                           const PolicyConfig& config);

/// Whether the budget is about to leave room for so much more than is live: it fits, and no growth
/// was undone of late.
bool will_grow(const PolicyState& state, const Signal& signal, const PoolView& kv,
               std::uint64_t bytes, std::uint64_t now_us, const PolicyConfig& config);

}  // namespace kvpsi
