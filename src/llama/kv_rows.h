// SPDX-License-Identifier: MIT
// Rows of KV cells as plain bytes: copied out of the tensors into a block, and back into the same
// or other cells. Knows where bytes lie and nothing else; the caller holds the engine's mutex and
// answers for which cells those are. Next hops: kv_layout.h (where tensors are), kv_spill.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/page_map.h"

namespace kvpsi {

/// Bytes of one cell over all tensors of the layouts.
std::uint64_t row_bytes(std::span<const TensorLayout> layouts);

/// Copies the rows of `cells` (of one stream, any order) to `block`: tensor after tensor, in a
/// tensor row after row (one unless V is transposed), in a row cell after cell in the order given.
/// `block` holds at least cells.size() * row_bytes(layouts).
void gather_rows(std::span<const TensorLayout> layouts, std::uint32_t stream,
                 std::span<const std::uint32_t> cells, std::span<std::byte> block);

/// The way back: row i of the block to cells[i]. A cell of kNoCell is passed over.
void scatter_rows(std::span<const TensorLayout> layouts, std::uint32_t stream,
                  std::span<const std::uint32_t> cells, std::span<const std::byte> block);

/// Copies the rows of cell `from` to cell `to` and compares them. False: the copy is not the
/// original (broken memory), and `to` must not be used.
bool copy_row(std::span<const TensorLayout> layouts, std::uint32_t stream, std::uint32_t from,
              std::uint32_t to);

inline constexpr std::uint32_t kNoCell = ~std::uint32_t{0};

}  // namespace kvpsi
