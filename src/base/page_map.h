// SPDX-License-Identifier: MIT
// PageMap: from "these cells are free" to "these whole pages hold nothing that lives". Pure
// arithmetic on addresses; it never touches the memory. A mistake here zeroes live data, so it is
// tested against a byte-by-byte oracle (tests/property/page_map_test.cpp).
// Next hop: linux/pages releases the ranges; llama/kv_layout says where tensors are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/page_range.h"

namespace kvpsi {

/// Cells [begin, end) of one stream.
struct CellRun {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  bool operator==(const CellRun&) const = default;
};

/// Where the cells of one tensor lie. Address of the first byte of cell c in row r of stream s:
/// base + s * stream_stride + r * row_stride + c * cell_bytes. A K tensor has one row; a transposed
/// V tensor has one row a dimension with a few bytes a cell. Rows and streams must not overlap.
struct TensorLayout {
  std::uintptr_t base = 0;
  std::uint64_t cell_bytes = 0;  ///< contiguous bytes of one cell in one row
  std::uint32_t cells = 0;       ///< a stream
  std::uint32_t rows = 1;        ///< a stream
  std::uint64_t row_stride = 0;
  std::uint32_t streams = 1;
  std::uint64_t stream_stride = 0;

  bool operator==(const TensorLayout&) const = default;
};

/// A buffer that holds nothing but tensors given as layouts: bytes between them are padding.
struct BufferExtent {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

/// Fixed layout, asked many times with different free cells. Reuses its output buffer: once it has
/// grown, asking does not allocate. Not thread-safe.
class PageMap {
 public:
  /// Every layout must lie inside one of the buffers; layouts must not interleave.
  PageMap(std::vector<TensorLayout> layouts, std::vector<BufferExtent> buffers,
          std::uint64_t page_bytes);

  /// The whole pages that overlap no live cell, ascending. Free bytes of neighbouring cells, rows,
  /// streams, tensors and the padding between them count as one run before rounding inwards, so
  /// every wholly free page is in the answer. `free_runs[s]`: ascending, disjoint runs of free
  /// cells of stream s; a cell in no run is live. The span is valid until the next call.
  std::span<const PageRange> free_pages(std::span<const std::span<const CellRun>> free_runs);

  /// The buffers rounded outwards to pages: what to measure for residency.
  std::span<const PageRange> whole_pages() const { return whole_; }

  std::span<const TensorLayout> layouts() const { return layouts_; }

  /// Bytes of all buffers.
  std::uint64_t reserved_bytes() const;

  /// Cells that must be free around a cell so that the pages it touches are wholly free: the most
  /// over all tensors, rounded up.
  std::uint32_t cells_per_page() const;

 private:
  void add_free(std::uintptr_t begin, std::uintptr_t end);
  void flush();
  void walk_layout(const TensorLayout& layout, std::uintptr_t& at,
                   std::span<const std::span<const CellRun>> free_runs);

  std::vector<TensorLayout> layouts_;  // by address
  std::vector<BufferExtent> buffers_;  // by address
  std::vector<PageRange> whole_;
  std::vector<PageRange> out_;
  std::uint64_t page_ = 0;
  PageRange pending_;  // free bytes not yet rounded
};

}  // namespace kvpsi
