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
/// live plus the headroom that may be filled; some time after pressure it grows to that, less what
/// comes back into running contexts meanwhile.
std::optional<std::uint64_t> update_budget(PolicyState& state, const Signal& signal,
                                           const PoolViews& pools, std::uint64_t now_us,
                                           const PolicyConfig& config);

/// A step for need takes `bytes` of live KV: the budget falls with it, or new work would fill them
/// before they are missed. Returns what new work is offered now.
std::uint64_t give_up(PolicyState& state, std::uint64_t bytes, const Signal& signal,
                      const PoolView& kv, std::uint64_t now_us, const PolicyConfig& config);

/// The cache shrinks, by a cut of the budget or by a trim for need: where it grew within the last
/// minute, that growth is undone.
void note_shrink(PolicyState& state, std::uint64_t now_us, const PolicyConfig& config);

/// Whether memory was pressed too recently for the cache to become larger: within the hold, or a
/// minute after growth was undone.
bool is_growth_held(const PolicyState& state, std::uint64_t now_us, const PolicyConfig& config);

/// The second of the two.
bool is_growth_undone(const PolicyState& state, std::uint64_t now_us, const PolicyConfig& config);

/// How much larger the cache may become at once, from `size_bytes` live: an eighth of the whole,
/// up to three quarters of the size that hurt, and from there up to it a little.
std::uint64_t size_growth(const PolicyState& state, std::uint64_t size_bytes, const PoolView& kv,
                          const PolicyConfig& config);

/// Headroom above `kept_bytes`, less what others will take meanwhile.
std::uint64_t spare_bytes(const PolicyState& state, const Signal& signal, double kept_bytes,
                          const PolicyConfig& config);

/// Whether the memory measured now bears the work that waits, so that the budget will let it go on
/// sooner or later (a minute later, where growth was undone) and nothing need be dropped for it.
/// False while a little stall goes on long after the pressure, which forbids growth.
bool will_grow(const PolicyState& state, const Signal& signal, const PoolView& kv,
               std::uint64_t now_us, const PolicyConfig& config);

}  // namespace kvpsi
