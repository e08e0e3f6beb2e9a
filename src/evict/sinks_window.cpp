// SPDX-License-Identifier: MIT
// See sinks_window.h. Works on indices into the ascending list of cells, so that gaps left by
// earlier trims need no thought: they hold no cells.
#include "evict/sinks_window.h"

#include <algorithm>

namespace kvpsi {

namespace {

/// The cells between sinks and window. Cells that share a position with a kept one stay with it.
std::span<const LiveCell> middle_of(std::span<const LiveCell> cells, const SinksWindow& rule) {
  const std::size_t tail = std::max<std::size_t>(rule.tail, 1);
  if (cells.size() <= rule.keep + tail) return {};
  std::size_t first = rule.keep;
  std::size_t last = cells.size() - tail;
  while (first > 0 && first < last && cells[first].position == cells[first - 1].position) ++first;
  while (last > first && cells[last - 1].position == cells[last].position) --last;
  return cells.subspan(first, last - first);
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return unit <= 1 ? value : (value + unit - 1) / unit * unit;
}

void append(std::vector<PositionSpan>& spans, std::int32_t position) {
  if (!spans.empty() && spans.back().end == position) {
    ++spans.back().end;
  } else {
    spans.push_back({position, position + 1});
  }
}

}  // namespace

std::uint64_t droppable_cells(std::span<const LiveCell> cells, const SinksWindow& rule) {
  const auto middle = middle_of(cells, rule);
  return static_cast<std::uint64_t>(
      std::ranges::count_if(middle, [](const LiveCell& cell) { return !cell.shared; }));
}

SinksWindowPlan plan_sinks_window(std::span<const LiveCell> cells, const SinksWindow& rule,
                                  std::uint64_t wanted, std::uint64_t allowed) {
  SinksWindowPlan plan;
  const std::uint64_t available = std::min(droppable_cells(cells, rule), allowed);
  if (wanted == 0 || available == 0 || available < rule.min_prune) return plan;
  const std::uint64_t amount = std::min(
      available, round_up(std::max<std::uint64_t>(wanted, rule.min_prune), rule.granule_cells));

  const auto middle = middle_of(cells, rule);
  for (std::size_t i = 0; i < middle.size() && plan.cells < amount;) {
    std::size_t next = i;  // all cells of this position
    bool shared = false;
    for (; next < middle.size() && middle[next].position == middle[i].position; ++next) {
      shared = shared || middle[next].shared;
    }
    const std::uint64_t count = next - i;
    if (!shared && plan.cells + count <= allowed) {
      append(plan.spans, middle[i].position);
      plan.cells += count;
    }
    i = next;
  }
  return plan;
}

}  // namespace kvpsi
