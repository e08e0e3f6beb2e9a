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

/// The most that the KV cache may ever hold: its cells (the reserved bytes, where it tells of
/// none), at most the cap.
std::uint64_t full_size(const PoolView& kv, const PolicyConfig& config);

/// Moves the budget and returns it: the most live KV bytes that admission, prefill and restore may
/// fill; empty while nothing is bounded or there is no KV pool. Under pressure it is cut to what is
/// live plus the headroom that may be filled; some time after pressure it grows to that.
std::optional<std::uint64_t> update_budget(PolicyState& state, const Signal& signal,
                                           const PoolViews& pools, std::uint64_t now_us,
                                           const PolicyConfig& config);

/// The cache shrinks, by a cut of the budget or by a trim for need: where it grew within the last
/// minute, that growth is undone.
void note_shrink(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config);

/// Whether the memory measured now bears the work that waits, so that the budget will let it go on
/// sooner or later (a minute later, where growth was undone) and nothing need be dropped for it.
/// False while a little stall goes on long after the pressure, which forbids growth.
bool will_grow(const PolicyState& state, const Signal& signal, const PoolView& kv,
               std::uint64_t now_us, const PolicyConfig& config);

}  // namespace kvpsi
