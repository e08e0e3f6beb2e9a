// SPDX-License-Identifier: MIT
// What llama.cpp knows of a cell besides its rows, as a value: read from one cell, set at another.
// llama_kv_cache hands its cells out as const; they are a member that is not, and their own public
// setters keep every index in step. Engine's mutex held, no decode running.
// Next hops: kv_compact.cpp, kv_spill.cpp.
#pragma once

#include "llama-kv-cache.h"

namespace kvpsi {

using SeqSet = llama_kv_cells::seq_set_t;

struct CellMeta {
  llama_pos pos = -1;  ///< -1: nobody's any more
  llama_kv_cell_ext ext;
  SeqSet seqs;
};

/// The cells of a stream, to be changed. In llama.cpp stream s holds sequence s.
inline llama_kv_cells& cells_of(const llama_kv_cache& cache, std::uint32_t stream) {
  return const_cast<llama_kv_cells&>(cache.get_cells(static_cast<llama_seq_id>(stream)));
}

inline CellMeta read_meta(const llama_kv_cells& cells, std::uint32_t cell) {
  return {cells.pos_get(cell), cells.ext_get(cell), cells.seq_get_all(cell)};
}

/// Somebody must own it.
inline llama_seq_id first_owner(const CellMeta& meta) {
  return static_cast<llama_seq_id>(meta.seqs._Find_first());
}

/// The cell must be empty.
inline void set_meta(llama_kv_cells& cells, std::uint32_t cell, const CellMeta& meta) {
  cells.pos_set(cell, meta.pos);
  cells.ext_set(cell, meta.ext);
  for (llama_seq_id s = 0; s < LLAMA_MAX_SEQ; ++s) {
    if (meta.seqs.test(static_cast<std::size_t>(s))) cells.seq_add(cell, s);
  }
}

}  // namespace kvpsi
