// SPDX-License-Identifier: MIT
// TrimmedCells: tokens taken out of a running context whose rows wait in the spill file. For
// llama.cpp these cells do not exist; whatever is done to their sequences meanwhile is done here to
// what is remembered of them, so that a row comes back to whoever owns it then. Engine's mutex
// held. Moves no bytes itself. Next hop: kv_spill.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "govern/spill_worker.h"
#include "llama/cell_meta.h"

namespace kvpsi {

/// Tokens of one stream whose rows are one block, ascending by position. pos is -1 once nobody owns
/// the token any more.
struct TrimmedBlock {
  std::uint32_t stream = 0;
  std::vector<CellMeta> tokens;
  SpillBlock where;

  std::size_t count() const;

  /// Calls visit(const CellMeta&) for every token that somebody owns.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const CellMeta& token : tokens) {
      if (token.pos >= 0) visit(token);
    }
  }
};

class TrimmedCells {
 public:
  explicit TrimmedCells(SpillWorker& file) : file_(file) {}
  ~TrimmedCells() { clear(); }
  TrimmedCells(const TrimmedCells&) = delete;
  TrimmedCells& operator=(const TrimmedCells&) = delete;

  void add(TrimmedBlock block);

  // The same as llama_memory_seq_*: positions [p0, p1), negative p1 = to the end, negative seq =
  // every sequence. Tokens that nobody owns leave the file.
  void seq_rm(llama_seq_id seq, llama_pos p0, llama_pos p1);
  void seq_cp(llama_seq_id from, llama_seq_id to, llama_pos p0, llama_pos p1);
  void seq_keep(llama_seq_id seq, std::uint32_t stream);  ///< other streams are left alone
  void clear();

  /// The oldest block with a token of the sequence (any: seq < 0) at a position in [p0, p1); null
  /// if none. Stays in the table until taken.
  const TrimmedBlock* find(llama_seq_id seq, llama_pos p0, llama_pos p1) const;

  /// Takes a block out of the table; the caller erases it from the store.
  TrimmedBlock take(const TrimmedBlock* block);

  llama_pos last(llama_seq_id seq) const;  ///< highest position of the sequence; -1 if none

  bool empty() const { return blocks_.empty(); }
  std::uint64_t count() const { return count(-1); }
  /// Tokens of the sequence (negative: any) at this position and after it.
  std::uint64_t count(llama_seq_id seq, llama_pos p0 = 0) const;

  /// Calls visit(const CellMeta&) for every token.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& block : blocks_) block->for_each(visit);
  }

 private:
  void forget_unowned();

  SpillWorker& file_;
  std::vector<std::unique_ptr<TrimmedBlock>> blocks_;
};

}  // namespace kvpsi
