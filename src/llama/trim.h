// SPDX-License-Identifier: MIT
// Chooses what to take out of a running context, over all its sequences. Carries nothing out.
// Next hops: evict/sinks_window.h chooses within a sequence; kv_spill.h takes it out with its rows
// kept in a file, drop_span for good.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "evict/sinks_window.h"
#include "llama.h"
#include "llama/cell_meta.h"

class llama_kv_cache;

namespace kvpsi {

/// Positions of one sequence.
struct TrimSpan {
  llama_seq_id seq = 0;
  PositionSpan span;
};

struct TrimPlan {
  std::vector<TrimSpan> spans;
  std::uint64_t cells = 0;  ///< that they free
};

/// Which sequences may be trimmed at all, and whose turn comes first.
struct TrimRights {
  SeqSet allowed;
  std::array<std::int16_t, LLAMA_MAX_SEQ> priority{};  ///< the lowest is trimmed first
};

/// Cells that may be taken out at all.
std::uint64_t count_droppable(const llama_kv_cache& cache, const SinksWindow& rule,
                              const TrimRights& rights);

/// A plan for at least `wanted` cells, never more than `allowed`: from the sequence of the lowest
/// priority first, among equals from the longest.
TrimPlan plan_trim(const llama_kv_cache& cache, const SinksWindow& rule, const TrimRights& rights,
                   std::uint64_t wanted, std::uint64_t allowed);

/// Takes the span out for good. Returns the cells that this freed. Inference thread.
std::uint64_t drop_span(llama_memory_t memory, const llama_kv_cache& cache, const TrimSpan& span);

}  // namespace kvpsi
