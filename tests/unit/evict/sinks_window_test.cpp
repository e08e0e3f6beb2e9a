// SPDX-License-Identifier: MIT
// sinks_window: what a trim drops, from plain cases to a property over random sequences: sinks,
// window and shared cells stay, limits and rounding hold. No llama.cpp; llama/govern_test.cpp
// carries plans out.
#include "evict/sinks_window.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <vector>

namespace kvpsi {
namespace {

std::vector<LiveCell> cells_of(int count, int first = 0) {
  std::vector<LiveCell> cells;
  for (int i = 0; i < count; ++i) cells.push_back({first + i, false});
  return cells;
}

constexpr SinksWindow kRule{.keep = 10, .tail = 20, .min_prune = 8, .granule_cells = 1};
constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

TEST(SinksWindowTest, drops_the_oldest_after_the_sinks) {
  const auto plan = plan_sinks_window(cells_of(100), kRule, 30, kNoLimit);
  EXPECT_EQ(plan.spans, (std::vector<PositionSpan>{{10, 40}}));
  EXPECT_EQ(plan.cells, 30u);
}

TEST(SinksWindowTest, rounds_up_to_min_prune_and_to_the_granule) {
  EXPECT_EQ(plan_sinks_window(cells_of(100), kRule, 1, kNoLimit).cells, 8u);
  SinksWindow pages = kRule;
  pages.granule_cells = 32;
  EXPECT_EQ(plan_sinks_window(cells_of(100), pages, 33, kNoLimit).cells, 64u);
}

TEST(SinksWindowTest, gives_what_there_is_when_more_is_wanted) {
  const auto plan = plan_sinks_window(cells_of(100), kRule, 1000, kNoLimit);
  EXPECT_EQ(plan.spans, (std::vector<PositionSpan>{{10, 80}}));
}

TEST(SinksWindowTest, drops_nothing_when_less_than_min_prune_can_go) {
  EXPECT_EQ(plan_sinks_window(cells_of(37), kRule, 5, kNoLimit).cells, 0u);
  EXPECT_EQ(plan_sinks_window(cells_of(38), kRule, 5, kNoLimit).cells, 8u);
  EXPECT_EQ(plan_sinks_window(cells_of(100), kRule, 50, 7).cells, 0u);
  EXPECT_EQ(plan_sinks_window(cells_of(100), kRule, 0, kNoLimit).cells, 0u);
  EXPECT_EQ(plan_sinks_window({}, kRule, 5, kNoLimit).cells, 0u);
}

TEST(SinksWindowTest, goes_on_behind_the_gap_of_an_earlier_trim) {
  auto cells = cells_of(10);
  for (const LiveCell& cell : cells_of(90, 500)) cells.push_back(cell);
  const auto plan = plan_sinks_window(cells, kRule, 30, kNoLimit);
  EXPECT_EQ(plan.spans, (std::vector<PositionSpan>{{500, 530}}));
}

TEST(SinksWindowTest, steps_over_shared_cells) {
  auto cells = cells_of(100);
  for (int i = 0; i < 30; ++i) cells[static_cast<std::size_t>(i)].shared = true;
  EXPECT_EQ(droppable_cells(cells, kRule), 50u);
  EXPECT_EQ(plan_sinks_window(cells, kRule, 12, kNoLimit).spans,
            (std::vector<PositionSpan>{{30, 42}}));
}

TEST(SinksWindowTest, never_takes_the_last_token) {
  const SinksWindow bare{.keep = 0, .tail = 0, .min_prune = 1, .granule_cells = 1};
  EXPECT_EQ(plan_sinks_window(cells_of(5), bare, 99, kNoLimit).spans,
            (std::vector<PositionSpan>{{0, 4}}));
}

TEST(SinksWindowTest, keeps_cells_of_one_position_together) {
  // An image: many cells at one position.
  std::vector<LiveCell> cells;
  for (int i = 0; i < 40; ++i) cells.push_back({i / 4, false});
  const SinksWindow rule{.keep = 2, .tail = 2, .min_prune = 1, .granule_cells = 1};
  const auto plan = plan_sinks_window(cells, rule, 6, kNoLimit);
  EXPECT_EQ(plan.spans, (std::vector<PositionSpan>{{1, 3}}));
  EXPECT_EQ(plan.cells, 8u);
}

RC_GTEST_PROP(SinksWindowProperty, keeps_sinks_window_shared_and_limits, ()) {
  std::vector<LiveCell> cells;
  int position = 0;
  for (int i = *rc::gen::inRange(0, 200); i > 0; --i) {
    position += *rc::gen::element(1, 1, 1, 7);
    cells.push_back({position, *rc::gen::inRange(0, 5) == 0});
  }
  const SinksWindow rule{*rc::gen::inRange(0u, 80u), *rc::gen::inRange(0u, 80u),
                         *rc::gen::inRange(0u, 40u), *rc::gen::inRange(1u, 33u)};
  const std::uint64_t wanted = *rc::gen::inRange(0u, 200u);
  const std::uint64_t allowed = *rc::gen::inRange(0u, 200u);
  const auto plan = plan_sinks_window(cells, rule, wanted, allowed);

  std::uint64_t dropped = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    bool inside = false;
    for (const PositionSpan& span : plan.spans) {
      inside = inside || (cells[i].position >= span.begin && cells[i].position < span.end);
    }
    if (!inside) continue;
    ++dropped;
    RC_ASSERT(i >= rule.keep);
    RC_ASSERT(i < cells.size() - std::max(rule.tail, 1u));
    RC_ASSERT(!cells[i].shared);
  }
  RC_ASSERT(dropped == plan.cells);
  RC_ASSERT(plan.cells <= allowed);
  RC_ASSERT(plan.cells == 0 || plan.cells >= rule.min_prune);
  const std::uint64_t available = std::min(droppable_cells(cells, rule), allowed);
  if (wanted > 0 && available >= std::max(rule.min_prune, 1u)) {
    RC_ASSERT(plan.cells >= std::min(wanted, available));
  }
}

}  // namespace
}  // namespace kvpsi
