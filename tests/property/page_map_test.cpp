// SPDX-License-Identifier: MIT
// PageMap against a byte-by-byte oracle: random tensors, row sizes, paddings, transposed tensors,
// streams, page sizes and cell patterns. Two laws: no live byte lies in an answered range; every
// page wholly inside a buffer and without a live byte is answered.
#include "base/page_map.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace kvpsi {
namespace {

constexpr std::uintptr_t kOrigin = 0x10000;

struct World {
  std::uint64_t page = 64;
  std::uint32_t streams = 1;
  std::uint32_t cells = 1;
  std::vector<TensorLayout> layouts;
  std::vector<BufferExtent> buffers;
  std::vector<std::vector<bool>> live;  // [stream][cell]
};

std::uint64_t pick(std::uint64_t low, std::uint64_t high) {
  return *rc::gen::inRange<std::uint64_t>(low, high + 1);
}

TensorLayout make_tensor(const World& world, std::uintptr_t base) {
  TensorLayout layout;
  layout.base = base;
  layout.cells = world.cells;
  layout.streams = world.streams;
  const bool transposed = pick(0, 3) == 0;
  layout.cell_bytes = transposed ? pick(1, 4) : pick(1, 200);
  layout.rows = transposed ? static_cast<std::uint32_t>(pick(1, 6)) : 1;
  layout.row_stride = layout.cells * layout.cell_bytes + (pick(0, 3) == 0 ? pick(1, 40) : 0);
  layout.stream_stride = layout.rows * layout.row_stride + (pick(0, 3) == 0 ? pick(1, 90) : 0);
  return layout;
}

std::uintptr_t end_of(const TensorLayout& t) {
  return t.base + (t.streams - 1) * t.stream_stride + (t.rows - 1) * t.row_stride +
         t.cells * t.cell_bytes;
}

World make_world() {
  World world;
  world.page = std::uint64_t{1} << pick(4, 9);
  world.streams = static_cast<std::uint32_t>(pick(1, 3));
  world.cells = static_cast<std::uint32_t>(pick(1, 60));
  std::uintptr_t at = kOrigin + pick(0, world.page);
  for (std::uint64_t b = pick(1, 3); b > 0; --b) {
    BufferExtent buffer{at, at};
    for (std::uint64_t t = pick(1, 5); t > 0; --t) {
      const TensorLayout layout =
          make_tensor(world, buffer.end + (pick(0, 2) == 0 ? pick(1, 63) : 0));
      buffer.end = end_of(layout);
      world.layouts.push_back(layout);
    }
    buffer.end += pick(0, 2 * world.page);
    world.buffers.push_back(buffer);
    at = buffer.end + pick(0, world.page);
  }
  // Long runs as real caches have them, with a random bias, then single flipped cells.
  for (std::uint32_t s = 0; s < world.streams; ++s) {
    std::vector<bool> live(world.cells);
    bool value = pick(0, 1) == 1;
    const std::uint64_t longest = pick(1, 40);
    for (std::uint32_t c = 0; c < world.cells;) {
      const auto run = static_cast<std::uint32_t>(pick(1, longest));
      for (std::uint32_t i = 0; i < run && c < world.cells; ++i, ++c) live[c] = value;
      value = !value;
    }
    world.live.push_back(std::move(live));
  }
  return world;
}

std::vector<std::vector<CellRun>> free_runs(const World& world) {
  std::vector<std::vector<CellRun>> runs(world.streams);
  for (std::uint32_t s = 0; s < world.streams; ++s) {
    for (std::uint32_t c = 0; c < world.cells; ++c) {
      if (world.live[s][c]) continue;
      if (!runs[s].empty() && runs[s].back().end == c) {
        ++runs[s].back().end;
      } else {
        runs[s].push_back({c, c + 1});
      }
    }
  }
  return runs;
}

/// One flag a byte from kOrigin on: true = it may be released.
std::vector<bool> oracle(const World& world) {
  std::vector<bool> may(world.buffers.back().end - kOrigin + 2 * world.page, false);
  for (const BufferExtent& buffer : world.buffers) {
    for (std::uintptr_t a = buffer.begin; a < buffer.end; ++a) may[a - kOrigin] = true;
  }
  for (const TensorLayout& t : world.layouts) {
    for (std::uint32_t s = 0; s < t.streams; ++s) {
      for (std::uint32_t r = 0; r < t.rows; ++r) {
        for (std::uint32_t c = 0; c < t.cells; ++c) {
          if (!world.live[s][c]) continue;
          const std::uintptr_t first =
              t.base + s * t.stream_stride + r * t.row_stride + c * t.cell_bytes;
          for (std::uint64_t b = 0; b < t.cell_bytes; ++b) may[first + b - kOrigin] = false;
        }
      }
    }
  }
  return may;
}

/// The pages the oracle allows: wholly inside one buffer, every byte free.
std::vector<std::uintptr_t> expected_pages(const World& world) {
  const std::vector<bool> may = oracle(world);
  std::vector<std::uintptr_t> pages;
  for (const BufferExtent& buffer : world.buffers) {
    std::uintptr_t page = (buffer.begin + world.page - 1) / world.page * world.page;
    for (; page + world.page <= buffer.end; page += world.page) {
      bool all = true;
      for (std::uint64_t b = 0; b < world.page; ++b) all = all && may[page + b - kOrigin];
      if (all) pages.push_back(page);
    }
  }
  return pages;
}

std::vector<std::uintptr_t> answered_pages(PageMap& map, const World& world) {
  const std::vector<std::vector<CellRun>> runs = free_runs(world);
  const std::vector<std::span<const CellRun>> spans(runs.begin(), runs.end());
  std::vector<std::uintptr_t> pages;
  std::uintptr_t last = 0;
  for (const PageRange& range : map.free_pages(spans)) {
    RC_ASSERT(range.begin % world.page == 0u && range.end % world.page == 0u);
    RC_ASSERT(range.begin < range.end && range.begin >= last);
    last = range.end;
    for (std::uintptr_t page = range.begin; page < range.end; page += world.page) {
      pages.push_back(page);
    }
  }
  return pages;
}

RC_GTEST_PROP(PageMapProperty, answers_exactly_the_wholly_free_pages, ()) {
  const World world = make_world();
  PageMap map(world.layouts, world.buffers, world.page);
  RC_ASSERT(answered_pages(map, world) == expected_pages(world));
}

RC_GTEST_PROP(PageMapProperty, is_the_same_when_asked_again_after_another_pattern, ()) {
  World world = make_world();
  PageMap map(world.layouts, world.buffers, world.page);
  answered_pages(map, world);
  for (auto& stream : world.live) stream.flip();
  RC_ASSERT(answered_pages(map, world) == expected_pages(world));
}

RC_GTEST_PROP(PageMapProperty, order_of_layouts_and_buffers_does_not_matter, ()) {
  World world = make_world();
  std::ranges::reverse(world.layouts);
  PageMap map(world.layouts, {world.buffers.rbegin(), world.buffers.rend()}, world.page);
  RC_ASSERT(answered_pages(map, world) == expected_pages(world));
}

TEST(PageMapTest, a_page_shared_by_two_tensors_comes_back_when_both_cells_are_free) {
  // Two tensors of 3 rows of 2,048 bytes: the second page holds the last row of one and the first
  // of the other.
  const TensorLayout first{.base = 0x10000, .cell_bytes = 2048, .cells = 3};
  const TensorLayout second{.base = 0x10000 + 3 * 2048, .cell_bytes = 2048, .cells = 3};
  PageMap map({first, second}, {{0x10000, 0x10000 + 6 * 2048}}, 4096);
  const CellRun ends[] = {{0, 1}, {2, 3}};
  const std::span<const CellRun> runs[] = {ends};
  const auto pages = map.free_pages(runs);
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages[0], (PageRange{0x11000, 0x12000}));
}

TEST(PageMapTest, says_how_many_cells_a_page_needs) {
  const TensorLayout k{.base = 0x10000, .cell_bytes = 384, .cells = 256};
  const TensorLayout v{
      .base = 0x80000, .cell_bytes = 2, .cells = 256, .rows = 4, .row_stride = 512};
  PageMap map({k, v}, {{0x10000, 0x90000}}, 4096);
  EXPECT_EQ(map.cells_per_page(), 2048u);
  EXPECT_EQ(map.reserved_bytes(), 0x80000u);
  EXPECT_EQ(map.whole_pages().size(), 1u);
}

}  // namespace
}  // namespace kvpsi
