// SPDX-License-Identifier: MIT
// SpilledCells: which live cells have their rows in the spill file instead of in memory, block by
// block. Their metadata stays in llama.cpp's cache and is read from there each time, so that a
// shared cell has one row in the file and as many owners as it has. Engine's mutex held. Moves no
// bytes itself. Next hops: kv_spill.cpp (fills and empties it), kv_cells.h (the mark "out").
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "govern/spill_worker.h"
#include "llama.h"
#include "llama/cell_meta.h"
#include "llama/kv_part.h"
#include "llama/kv_rows.h"

namespace kvpsi {

/// Cells of one stream whose rows are one block. cells[i] is where row i belongs, kNoCell once that
/// cell was freed; metas[i] is what the cell was when last looked at, `owners` whose they are.
struct CellBlock {
  KvPart* part = nullptr;
  std::uint32_t stream = 0;
  std::vector<std::uint32_t> cells;
  std::vector<CellMeta> metas;
  SeqSet owners;
  SpillBlock where;

  void add(std::uint32_t cell, const CellMeta& meta);
  std::size_t count() const;    ///< cells that are still there
  std::uint64_t bytes() const;  ///< of their rows

  /// Drops cells that were freed. With `decoded`, also those that a token of other sequences has
  /// taken (a sliding window reuses expired cells when it decodes or loads state); otherwise only
  /// metadata can have changed, and is noted. `dropped(cell)` is told each.
  template <class Dropped>
  void look_again(bool decoded, Dropped dropped);
};

template <class Dropped>
void CellBlock::look_again(bool decoded, Dropped dropped) {
  const llama_kv_cells& now = part->cache().get_cells(static_cast<llama_seq_id>(stream));
  owners.reset();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::uint32_t cell = cells[i];
    if (cell == kNoCell) continue;
    const bool freed = now.is_empty(cell);
    // Who decodes owns none of these cells; of a shared one an owner may have let go.
    const bool taken =
        !freed && decoded &&
        (now.pos_get(cell) != metas[i].pos || (now.seq_get_all(cell) & metas[i].seqs).none());
    if (freed || taken) {
      cells[i] = kNoCell;
      dropped(cell);
    } else {
      metas[i] = read_meta(now, cell);
      owners |= metas[i].seqs;
    }
  }
}

class SpilledCells {
 public:
  explicit SpilledCells(SpillWorker& file) : file_(file) {}
  ~SpilledCells() { clear(); }
  SpilledCells(const SpilledCells&) = delete;
  SpilledCells& operator=(const SpilledCells&) = delete;

  /// The block's rows are in the file: its cells are out from now on.
  void add(CellBlock block);

  /// See CellBlock::look_again. To be called after every change of metadata, before anything can be
  /// placed in a freed cell. Blocks without cells leave the file.
  void look_again(bool decoded);

  /// Everything is gone from the cache.
  void clear();

  /// Cell `from` is now cell `to` (metadata moved by the caller).
  void move(const KvPart& part, std::uint32_t stream, std::uint32_t from, std::uint32_t to);

  /// The block to bring back first for any of these sequences: the last that left. Null if none.
  /// Stays in the table until taken.
  const CellBlock* find(const SeqSet& seqs) const;

  /// Takes a block out of the table, to be read. Its cells stay marked as out until the caller has
  /// put their rows back (mark_back), and erases the block from the store.
  CellBlock take(const CellBlock* block);
  static void mark_back(const CellBlock& block);

  bool empty() const { return blocks_.empty(); }
  std::uint64_t bytes() const { return bytes(SeqSet().set()); }
  std::uint64_t bytes(const SeqSet& seqs) const;  ///< of blocks that any of them owns a cell of

 private:
  SpillWorker& file_;
  std::vector<std::unique_ptr<CellBlock>> blocks_;  // oldest first
};

}  // namespace kvpsi
