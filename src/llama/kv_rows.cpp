// SPDX-License-Identifier: MIT
// See kv_rows.h. Neighbouring cells are copied in one go: a block of a sequence that was filled
// alone is one memcpy a tensor.
#include "llama/kv_rows.h"

#include <bit>
#include <cstring>

namespace kvpsi {

namespace {

std::byte* address(const TensorLayout& t, std::uint32_t stream, std::uint32_t row,
                   std::uint32_t cell) {
  return std::bit_cast<std::byte*>(t.base + stream * t.stream_stride + row * t.row_stride +
                                   cell * t.cell_bytes);
}

/// Length of the run of neighbouring cells that starts at `at`.
std::size_t run_length(std::span<const std::uint32_t> cells, std::size_t at) {
  std::size_t end = at + 1;
  if (cells[at] == kNoCell) return 1;
  while (end < cells.size() && cells[end] != kNoCell && cells[end] == cells[end - 1] + 1) ++end;
  return end - at;
}

/// Calls copy(address of the first cell of a run, its place in the block, bytes) for every run.
template <class Copy>
void walk(std::span<const TensorLayout> layouts, std::uint32_t stream,
          std::span<const std::uint32_t> cells, std::byte* block, Copy copy) {
  for (const TensorLayout& t : layouts) {
    for (std::uint32_t row = 0; row < t.rows; ++row) {
      for (std::size_t i = 0; i < cells.size();) {
        const std::size_t length = run_length(cells, i);
        const std::size_t bytes = length * t.cell_bytes;
        if (cells[i] != kNoCell) copy(address(t, stream, row, cells[i]), block, bytes);
        block += bytes;
        i += length;
      }
    }
  }
}

}  // namespace

std::uint64_t row_bytes(std::span<const TensorLayout> layouts) {
  std::uint64_t bytes = 0;
  for (const TensorLayout& t : layouts) bytes += t.cell_bytes * t.rows;
  return bytes;
}

void gather_rows(std::span<const TensorLayout> layouts, std::uint32_t stream,
                 std::span<const std::uint32_t> cells, std::span<std::byte> block) {
  walk(layouts, stream, cells, block.data(),
       [](const std::byte* row, std::byte* place, std::size_t bytes) {
         std::memcpy(place, row, bytes);
       });
}

void scatter_rows(std::span<const TensorLayout> layouts, std::uint32_t stream,
                  std::span<const std::uint32_t> cells, std::span<const std::byte> block) {
  // The walk only moves along the block; the bytes are read.
  walk(layouts, stream, cells, const_cast<std::byte*>(block.data()),
       [](std::byte* row, const std::byte* place, std::size_t bytes) {
         std::memcpy(row, place, bytes);
       });
}

bool copy_row(std::span<const TensorLayout> layouts, std::uint32_t stream, std::uint32_t from,
              std::uint32_t to) {
  bool same = true;
  for (const TensorLayout& t : layouts) {
    for (std::uint32_t row = 0; row < t.rows; ++row) {
      const std::byte* const source = address(t, stream, row, from);
      std::byte* const target = address(t, stream, row, to);
      std::memcpy(target, source, t.cell_bytes);
      same = same && std::memcmp(target, source, t.cell_bytes) == 0;
    }
  }
  return same;
}

}  // namespace kvpsi
