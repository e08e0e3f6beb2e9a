// SPDX-License-Identifier: MIT
// One walk over the layouts by address, collecting free bytes into the longest possible runs and
// rounding each inwards once. Rounding earlier (a tensor at a time) would lose the pages that two
// tensors share.
#include "base/page_map.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace kvpsi {

namespace {

std::uintptr_t round_down(std::uintptr_t address, std::uint64_t page) {
  return address - address % page;
}

std::uintptr_t round_up(std::uintptr_t address, std::uint64_t page) {
  return round_down(address + page - 1, page);
}

std::uintptr_t end_of(const TensorLayout& layout) {
  return layout.base + (layout.streams - 1) * layout.stream_stride +
         (layout.rows - 1) * layout.row_stride + layout.cells * layout.cell_bytes;
}

void check(const TensorLayout& layout) {
  const std::uint64_t row_bytes = layout.cells * layout.cell_bytes;
  KVPSI_ASSERT(layout.cells > 0 && layout.cell_bytes > 0 && layout.rows > 0 && layout.streams > 0);
  KVPSI_ASSERT(layout.rows == 1 || layout.row_stride >= row_bytes);
  KVPSI_ASSERT(layout.streams == 1 ||
               layout.stream_stride >= (layout.rows - 1) * layout.row_stride + row_bytes);
}

}  // namespace

PageMap::PageMap(std::vector<TensorLayout> layouts, std::vector<BufferExtent> buffers,
                 std::uint64_t page_bytes)
    : layouts_(std::move(layouts)), buffers_(std::move(buffers)), page_(page_bytes) {
  KVPSI_ASSERT(page_ > 0);
  std::ranges::sort(layouts_, {}, &TensorLayout::base);
  std::ranges::sort(buffers_, {}, &BufferExtent::begin);
  std::uintptr_t at = 0;
  for (const TensorLayout& layout : layouts_) {
    check(layout);
    KVPSI_ASSERT(layout.base >= at);
    at = end_of(layout);
    KVPSI_ASSERT(std::ranges::any_of(buffers_, [&](const BufferExtent& buffer) {
      return buffer.begin <= layout.base && at <= buffer.end;
    }));
  }
  for (const BufferExtent& buffer : buffers_) {
    whole_.push_back({round_down(buffer.begin, page_), round_up(buffer.end, page_)});
  }
}

void PageMap::add_free(std::uintptr_t begin, std::uintptr_t end) {
  if (begin == end) return;
  if (begin != pending_.end) {
    flush();
    pending_.begin = begin;
  }
  pending_.end = end;
}

void PageMap::flush() {
  const PageRange pages{round_up(pending_.begin, page_), round_down(pending_.end, page_)};
  if (pages.begin < pages.end) out_.push_back(pages);
  pending_ = {};
}

void PageMap::walk_layout(const TensorLayout& layout, std::uintptr_t& at,
                          std::span<const std::span<const CellRun>> free_runs) {
  for (std::uint32_t stream = 0; stream < layout.streams; ++stream) {
    const std::uintptr_t stream_base = layout.base + stream * layout.stream_stride;
    for (std::uint32_t row = 0; row < layout.rows; ++row) {
      const std::uintptr_t row_base = stream_base + row * layout.row_stride;
      add_free(at, row_base);  // padding before this row
      for (const CellRun& run : free_runs[stream]) {
        add_free(row_base + run.begin * layout.cell_bytes, row_base + run.end * layout.cell_bytes);
      }
      at = row_base + layout.cells * layout.cell_bytes;
    }
  }
}

std::span<const PageRange> PageMap::free_pages(
    std::span<const std::span<const CellRun>> free_runs) {
  out_.clear();
  pending_ = {};
  auto layout = layouts_.begin();
  for (const BufferExtent& buffer : buffers_) {
    std::uintptr_t at = buffer.begin;
    for (; layout != layouts_.end() && layout->base < buffer.end; ++layout) {
      KVPSI_ASSERT(free_runs.size() >= layout->streams);
      walk_layout(*layout, at, free_runs);
    }
    add_free(at, buffer.end);
    flush();
  }
  return out_;
}

std::uint64_t PageMap::reserved_bytes() const {
  std::uint64_t bytes = 0;
  for (const BufferExtent& buffer : buffers_) bytes += buffer.end - buffer.begin;
  return bytes;
}

std::uint32_t PageMap::cells_per_page() const {
  std::uint64_t most = 1;
  for (const TensorLayout& layout : layouts_) {
    most = std::max(most, (page_ + layout.cell_bytes - 1) / layout.cell_bytes);
  }
  return static_cast<std::uint32_t>(most);
}

}  // namespace kvpsi
