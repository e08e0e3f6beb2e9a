// SPDX-License-Identifier: MIT
// See sequence_cells.h.
#include "llama/sequence_cells.h"

#include "llama-kv-cache-iswa.h"
#include "llama-kv-cache.h"

namespace kvpsi {

std::uint64_t count_sequence_cells(llama_memory_t memory, llama_seq_id sequence) {
  const auto* cache = dynamic_cast<const llama_kv_cache*>(memory);
  if (const auto* both = dynamic_cast<const llama_kv_cache_iswa*>(memory)) cache = both->get_base();
  if (cache != nullptr) return cache->get_cells(sequence).seq_pos_get(sequence).size();
  const llama_pos first = llama_memory_seq_pos_min(memory, sequence);
  const llama_pos last = llama_memory_seq_pos_max(memory, sequence);
  return first < 0 || last < first ? 0 : static_cast<std::uint64_t>(last - first) + 1;
}

}  // namespace kvpsi
