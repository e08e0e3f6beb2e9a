// SPDX-License-Identifier: MIT
// Which tokens of a sequence to drop when context must go for good: never the first `keep`
// (attention sinks: models put much of their attention there) nor the last `tail`, the oldest in
// between first. Pure: positions in, spans of positions out. Next hop: llama/trim carries them out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvpsi {

/// One live cell of a sequence.
struct LiveCell {
  std::int32_t position = 0;
  bool shared = false;  ///< another sequence owns it too: dropping it here frees nothing
};

/// Positions [begin, end) of one sequence.
struct PositionSpan {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  bool operator==(const PositionSpan&) const = default;
};

struct SinksWindow {
  std::uint32_t keep = 64;
  std::uint32_t tail = 256;         ///< 0 is taken as 1: the last token anchors the next position
  std::uint32_t min_prune = 64;     ///< drop at least this many cells or none
  std::uint32_t granule_cells = 1;  ///< round the amount up to this many cells (whole pages)
};

struct SinksWindowPlan {
  std::vector<PositionSpan> spans;  ///< ascending, disjoint; cover no shared cell
  std::uint64_t cells = 0;          ///< cells they free
};

/// Cells of the sequence that may be dropped at all.
std::uint64_t droppable_cells(std::span<const LiveCell> cells, const SinksWindow& rule);

/// A plan for at least `wanted` cells, rounded up to min_prune and to the granule, as far as the
/// sequence has them and never more than `allowed`. An empty plan when wanted is 0 or fewer than
/// min_prune can go. `cells` ascending by position; equal positions stay or go together.
SinksWindowPlan plan_sinks_window(std::span<const LiveCell> cells, const SinksWindow& rule,
                                  std::uint64_t wanted, std::uint64_t allowed);

}  // namespace kvpsi
