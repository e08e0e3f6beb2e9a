// SPDX-License-Identifier: MIT
// See spilled_cells.h.
#include "llama/spilled_cells.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace kvpsi {

void CellBlock::add(std::uint32_t cell, const CellMeta& meta) {
  cells.push_back(cell);
  metas.push_back(meta);
  owners |= meta.seqs;
}

std::uint64_t CellBlock::bytes() const { return count() * part->bytes_per_cell(); }

std::size_t CellBlock::count() const {
  return cells.size() - static_cast<std::size_t>(std::ranges::count(cells, kNoCell));
}

void SpilledCells::add(CellBlock block) {
  for (const std::uint32_t cell : block.cells) {
    if (cell != kNoCell) block.part->cells().set_out(block.stream, cell, true);
  }
  blocks_.push_back(std::make_unique<CellBlock>(std::move(block)));
}

void SpilledCells::look_again(bool decoded) {
  std::erase_if(blocks_, [&](const std::unique_ptr<CellBlock>& block) {
    block->look_again(decoded, [&](std::uint32_t cell) {
      block->part->cells().set_out(block->stream, cell, false);
    });
    if (block->count() > 0) return false;
    file_.erase(block->where);
    return true;
  });
}

void SpilledCells::mark_back(const CellBlock& block) {
  for (const std::uint32_t cell : block.cells) {
    if (cell != kNoCell) block.part->cells().set_out(block.stream, cell, false);
  }
}

void SpilledCells::clear() {
  for (const auto& block : blocks_) {
    mark_back(*block);
    file_.erase(block->where);
  }
  blocks_.clear();
}

void SpilledCells::move(const KvPart& part, std::uint32_t stream, std::uint32_t from,
                        std::uint32_t to) {
  for (const auto& block : blocks_) {
    if (block->part != &part || block->stream != stream) continue;
    const auto at = std::ranges::find(block->cells, from);
    if (at == block->cells.end()) continue;
    *at = to;
    block->part->cells().set_out(stream, from, false);
    block->part->cells().set_out(stream, to, true);
    return;
  }
}

const CellBlock* SpilledCells::find(const SeqSet& seqs) const {
  for (const auto& block : blocks_ | std::views::reverse) {
    if ((block->owners & seqs).any()) return block.get();
  }
  return nullptr;
}

CellBlock SpilledCells::take(const CellBlock* block) {
  const auto at = std::ranges::find_if(
      blocks_, [block](const std::unique_ptr<CellBlock>& b) { return b.get() == block; });
  CellBlock out = std::move(**at);
  blocks_.erase(at);
  return out;
}

std::uint64_t SpilledCells::bytes(const SeqSet& seqs) const {
  std::uint64_t bytes = 0;
  for (const auto& block : blocks_) bytes += (block->owners & seqs).any() ? block->bytes() : 0;
  return bytes;
}

}  // namespace kvpsi
