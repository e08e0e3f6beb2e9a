// SPDX-License-Identifier: MIT
// See trimmed_cells.h.
#include "llama/trimmed_cells.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace kvpsi {

namespace {

bool is_owned(const CellMeta& token) { return token.pos >= 0; }

bool is_in(const CellMeta& token, llama_seq_id seq, llama_pos p0, llama_pos p1) {
  const llama_pos end = p1 < 0 ? std::numeric_limits<llama_pos>::max() : p1;
  return is_owned(token) && token.pos >= p0 && token.pos < end &&
         (seq < 0 || token.seqs.test(static_cast<std::size_t>(seq)));
}

}  // namespace

std::size_t TrimmedBlock::count() const {
  return static_cast<std::size_t>(std::ranges::count_if(tokens, is_owned));
}

void TrimmedCells::add(TrimmedBlock block) {
  blocks_.push_back(std::make_unique<TrimmedBlock>(std::move(block)));
}

void TrimmedCells::forget_unowned() {
  std::erase_if(blocks_, [this](const std::unique_ptr<TrimmedBlock>& block) {
    for (CellMeta& token : block->tokens) {
      if (token.seqs.none()) token.pos = -1;
    }
    if (block->count() > 0) return false;
    file_.erase(block->where);
    return true;
  });
}

void TrimmedCells::seq_rm(llama_seq_id seq, llama_pos p0, llama_pos p1) {
  for (const auto& block : blocks_) {
    for (CellMeta& token : block->tokens) {
      if (!is_in(token, seq, p0, p1)) continue;
      if (seq < 0) {
        token.seqs.reset();
      } else {
        token.seqs.reset(static_cast<std::size_t>(seq));
      }
    }
  }
  forget_unowned();
}

void TrimmedCells::seq_cp(llama_seq_id from, llama_seq_id to, llama_pos p0, llama_pos p1) {
  for (const auto& block : blocks_) {
    for (CellMeta& token : block->tokens) {
      if (is_in(token, from, p0, p1)) token.seqs.set(static_cast<std::size_t>(to));
    }
  }
}

void TrimmedCells::seq_keep(llama_seq_id seq, std::uint32_t stream) {
  const auto kept = static_cast<std::size_t>(seq);
  for (const auto& block : blocks_) {
    if (block->stream != stream) continue;
    for (CellMeta& token : block->tokens) {
      const bool keeps = token.seqs.test(kept);
      token.seqs.reset();
      token.seqs.set(kept, keeps);
    }
  }
  forget_unowned();
}

void TrimmedCells::clear() {
  for (const auto& block : blocks_) file_.erase(block->where);
  blocks_.clear();
}

const TrimmedBlock* TrimmedCells::find(llama_seq_id seq, llama_pos p0, llama_pos p1) const {
  for (const auto& block : blocks_) {
    for (const CellMeta& token : block->tokens) {
      if (is_in(token, seq, p0, p1)) return block.get();
    }
  }
  return nullptr;
}

TrimmedBlock TrimmedCells::take(const TrimmedBlock* block) {
  const auto at = std::ranges::find_if(
      blocks_, [block](const std::unique_ptr<TrimmedBlock>& b) { return b.get() == block; });
  TrimmedBlock out = std::move(**at);
  blocks_.erase(at);
  return out;
}

llama_pos TrimmedCells::last(llama_seq_id seq) const {
  llama_pos last = -1;
  for_each([&](const CellMeta& token) {
    if (token.seqs.test(static_cast<std::size_t>(seq))) last = std::max(last, token.pos);
  });
  return last;
}

std::uint64_t TrimmedCells::count(llama_seq_id seq, llama_pos p0) const {
  std::uint64_t count = 0;
  for (const auto& block : blocks_) {
    count += static_cast<std::uint64_t>(std::ranges::count_if(
        block->tokens, [=](const CellMeta& token) { return is_in(token, seq, p0, -1); }));
  }
  return count;
}

}  // namespace kvpsi
