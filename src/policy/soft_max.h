// SPDX-License-Identifier: MIT
// The soft maximum of live KV: a goal that a person sets and changes while it runs. It bounds what
// new work may fill and nothing else: it never drops anything and never stops a running answer,
// which may go past it. Pure. Next hop: policy/decide.cpp, govern/governor.h (who sets it).
#pragma once

#include <cstdint>
#include <optional>

namespace kvpsi {

/// The budget of the law and the soft maximum together: the smaller one; empty = neither is there.
/// Remembers nothing, so that lifting the soft maximum gives the law's own budget back at once.
std::optional<std::uint64_t> bound_by_soft_max(std::optional<std::uint64_t> budget_bytes,
                                               std::optional<std::uint64_t> soft_max_bytes);

/// Whether a soft maximum is less than half of what is live: work then waits or is done over again
/// for as long as the demand stays. Accepted nevertheless; who sets it is told.
bool is_soft_max_churning(std::optional<std::uint64_t> soft_max_bytes, std::uint64_t live_bytes);

}  // namespace kvpsi
