// SPDX-License-Identifier: MIT
// Trim: drops the middle of sequences for good, by the real llama_memory_seq_rm, leaving a gap in
// the positions (never a shift: that would rewrite, and commit, every cell). Only while no decode
// runs, with the engine's mutex held. Next hop: evict/sinks_window.h chooses.
#pragma once

#include <cstdint>

#include "evict/sinks_window.h"
#include "llama.h"

class llama_kv_cache;

namespace kvpsi {

/// Cells between sinks and window over all sequences: an upper bound, cells shared by sequences
/// count too. A few microseconds, whatever the size.
std::uint64_t count_droppable(const llama_kv_cache& cache, const SinksWindow& rule);

/// Drops at least `wanted` cells, as far as there are any, and at most `allowed`; the longest
/// sequences first. Returns the cells freed.
std::uint64_t drop_cells(const llama_kv_cache& cache, llama_memory_t memory,
                         const SinksWindow& rule, std::uint64_t wanted, std::uint64_t allowed);

}  // namespace kvpsi
