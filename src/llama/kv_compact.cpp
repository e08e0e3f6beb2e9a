// SPDX-License-Identifier: MIT
// See kv_compact.h. The last cells move into the first holes: the fewest copies, and the order of
// cells means nothing to attention, which goes by their positions.
#include "llama/kv_compact.h"

#include "base/clock.h"
#include "llama/cell_meta.h"
#include "llama/kv_rows.h"

namespace kvpsi {

namespace {

/// Cells between two looks at the clock: a fraction of a millisecond.
constexpr std::uint64_t kCellsPerLook = 16;

class StreamPacker {
 public:
  StreamPacker(KvPart& part, std::uint32_t stream, SpilledCells* spilled)
      : part_(part), stream_(stream), spilled_(spilled), cells_(cells_of(part.cache(), stream)) {}

  /// One cell moved; false when there is none to move.
  bool step(Compaction& result) {
    while (hole_ < cells_.used_max_p1() && is_hot(hole_)) ++hole_;
    last_ = std::min(last_, cells_.used_max_p1());
    while (last_ > hole_ && !is_hot(last_ - 1)) --last_;
    if (last_ <= hole_) return false;
    result.is_refused = !move(last_ - 1, hole_);
    if (result.is_refused) return false;
    ++result.moved;
    return true;
  }

 private:
  bool is_hot(std::uint32_t cell) const {
    return !cells_.is_empty(cell) && !part_.cells().is_out(stream_, cell);
  }

  bool move(std::uint32_t from, std::uint32_t to) {
    if (!copy_row(part_.layout().layouts, stream_, from, to)) return false;
    const CellMeta moving = read_meta(cells_, from);
    const bool swaps = !cells_.is_empty(to);  // its row is in the file
    CellMeta waiting;
    if (swaps) {
      waiting = read_meta(cells_, to);
      cells_.rm(to);
    }
    cells_.rm(from);
    set_meta(cells_, to, moving);
    if (!swaps) return true;
    set_meta(cells_, from, waiting);
    spilled_->move(part_, stream_, to, from);
    return true;
  }

  KvPart& part_;
  const std::uint32_t stream_;
  SpilledCells* const spilled_;
  llama_kv_cells& cells_;
  std::uint32_t hole_ = 0;
  std::uint32_t last_ = ~std::uint32_t{0};
};

}  // namespace

Compaction compact(KvPart& part, SpilledCells* spilled, std::uint64_t deadline_us) {
  Compaction result;
  if (part.cache().get_has_shift()) {
    result.is_refused = true;
    return result;
  }
  part.cells().note_live();  // the cells that rows leave still hold pages
  for (std::uint32_t stream = 0; stream < part.cells().streams() && !result.is_refused; ++stream) {
    StreamPacker packer(part, stream, spilled);
    while (packer.step(result)) {
      if (result.moved % kCellsPerLook != 0 || monotonic_us() < deadline_us) continue;
      result.is_complete = false;
      return result;
    }
  }
  part.cells().note_live();
  return result;
}

bool has_holes(const KvPart& part, double share) {
  for (std::uint32_t stream = 0; stream < part.cells().streams(); ++stream) {
    const llama_kv_cells& cells = part.cache().get_cells(static_cast<llama_seq_id>(stream));
    const double end = cells.used_max_p1();
    if (end > 0 && (end - cells.get_used()) >= end * share) return true;
  }
  return false;
}

}  // namespace kvpsi
