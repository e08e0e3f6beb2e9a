// SPDX-License-Identifier: MIT
// Where the K and V rows of a llama_kv_cache lie in memory, by its public accessors alone. What
// cannot be governed becomes a clause in `problems`; nothing is guessed.
// Next hop: kv_cells.h says which cells are free, base/page_map.h joins the two.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/page_map.h"

class llama_kv_cache;
struct llama_model;

namespace kvpsi {

struct KvLayout {
  std::vector<TensorLayout> layouts;
  std::vector<BufferExtent> buffers;
  std::uint64_t bytes_per_cell = 0;         ///< all governed tensors, K and V
  std::uint64_t row_bytes_per_cell = 0;     ///< of these, in tensors with one row a cell
  std::uint64_t transposed_rows = 0;        ///< rows of transposed V, over all layers
  std::uint64_t transposed_cell_bytes = 0;  ///< bytes of a cell in one such row
  std::uint64_t tensors = 0;
  std::vector<std::string> problems;  ///< what is left out and why
};

/// An empty `layouts` means that nothing of this cache can be governed.
KvLayout read_kv_layout(const llama_kv_cache& cache, const llama_model& model);

}  // namespace kvpsi
