// SPDX-License-Identifier: MIT
// See trim.h. llama.cpp accepts gaps in the positions of a plain KV cache: a batch only has to
// start behind the last position, which the tail keeps in place.
#include "llama/trim.h"

#include <algorithm>
#include <vector>

#include "llama-kv-cache.h"
#include "llama/real_functions.h"

namespace kvpsi {

namespace {

std::uint32_t count_sequences(const llama_kv_cache& cache) {
  return cache.get_n_stream() == 1 ? LLAMA_MAX_SEQ : cache.get_n_stream();
}

std::size_t length_of(const llama_kv_cache& cache, llama_seq_id seq) {
  return cache.get_cells(seq).seq_pos_get(seq).size();
}

/// The sequence's cells, ascending by position.
std::vector<LiveCell> cells_of(const llama_kv_cache& cache, llama_seq_id seq) {
  const llama_kv_cells& cells = cache.get_cells(seq);
  std::vector<LiveCell> out;
  out.reserve(length_of(cache, seq));
  for (const auto& [position, cell] : cells.seq_pos_get(seq)) {
    out.push_back({position, cells.seq_count(cell) > 1});
  }
  return out;
}

/// Sequences that have anything between sinks and window and may be trimmed, in the order of their
/// turns.
std::vector<llama_seq_id> candidates(const llama_kv_cache& cache, const SinksWindow& rule,
                                     const TrimRights& rights) {
  std::vector<llama_seq_id> out;
  for (std::uint32_t s = 0; s < count_sequences(cache); ++s) {
    const auto seq = static_cast<llama_seq_id>(s);
    if (!rights.allowed.test(s)) continue;
    if (length_of(cache, seq) > std::size_t{rule.keep} + rule.tail) out.push_back(seq);
  }
  std::ranges::stable_sort(out, std::ranges::greater{},
                           [&cache](llama_seq_id seq) { return length_of(cache, seq); });
  std::ranges::stable_sort(out, {}, [&rights](llama_seq_id seq) {
    return rights.priority.at(static_cast<std::size_t>(seq));
  });
  return out;
}

}  // namespace

std::uint64_t count_droppable(const llama_kv_cache& cache, const SinksWindow& rule,
                              const TrimRights& rights) {
  std::uint64_t count = 0;
  for (const llama_seq_id seq : candidates(cache, rule, rights)) {
    const std::uint64_t length = length_of(cache, seq);
    count += length - std::min<std::uint64_t>(length, rule.keep + std::max(rule.tail, 1U));
  }
  return count;
}

TrimPlan plan_trim(const llama_kv_cache& cache, const SinksWindow& rule, const TrimRights& rights,
                   std::uint64_t wanted, std::uint64_t allowed) {
  TrimPlan out;
  for (const llama_seq_id seq : candidates(cache, rule, rights)) {
    if (out.cells >= wanted) break;
    const SinksWindowPlan plan =
        plan_sinks_window(cells_of(cache, seq), rule, wanted - out.cells, allowed - out.cells);
    for (const PositionSpan& span : plan.spans) out.spans.push_back({seq, span});
    out.cells += plan.cells;
  }
  return out;
}

std::uint64_t drop_span(llama_memory_t memory, const llama_kv_cache& cache, const TrimSpan& span) {
  const llama_kv_cells& cells = cache.get_cells(span.seq);
  const std::uint32_t before = cells.get_used();
  static_cast<void>(__real_llama_memory_seq_rm(memory, span.seq, span.span.begin, span.span.end));
  return before - cells.get_used();
}

}  // namespace kvpsi
