// SPDX-License-Identifier: MIT
// What a host that knows its conversations tells of their sequences, and asks: which of them may be
// trimmed, what their tokens are, and how much of one is missing. See kv_pool.h.
#include <algorithm>

#include "llama-kv-cache.h"
#include "llama-model.h"
#include "llama/kv_pool.h"

namespace kvpsi {

namespace {

/// Each token has a position of its own, and cells know it by its number: no pictures, which share
/// positions, and no embeddings by n-gram.
bool counts_by_token(const llama_context* context) {
  const llama_hparams& shape = llama_get_model(context)->hparams;
  return shape.n_pos_per_embd() <= 1 && shape.ple_n_heads == 0;
}

}  // namespace

void KvPool::pin(llama_seq_id seq, bool pinned) {
  if (spill_) spill_->pin(seq, pinned);
}

void KvPool::set_trim_right(llama_seq_id seq, bool allowed, std::int16_t priority) {
  rights_.allowed.set(static_cast<std::size_t>(seq), allowed);
  rights_.priority.at(static_cast<std::size_t>(seq)) = priority;
  if (spill_ && !allowed) spill_->cancel_trims(seq);
}

/// Of sequences that must not be trimmed nothing stays out, so far as the cache has room.
void KvPool::bring_whole(const SeqSet& seqs) {
  const SeqSet wholly = seqs & ~rights_.allowed;
  if (wholly.none() || spill_->trimmed().empty()) return;
  for (llama_seq_id seq = 0; seq < LLAMA_MAX_SEQ; ++seq) {
    if (!wholly.test(static_cast<std::size_t>(seq))) continue;
    if (spill_->trimmed().count(seq) > 0) {
      static_cast<void>(spill_->bring_back_trimmed(seq, 0, -1));
    }
  }
  repair_lost();
}

std::uint64_t KvPool::missing_tokens(llama_seq_id seq) const {
  if (has_window()) return 0;  // what lies before its window is not missing
  if (!counts_by_token(context_)) return spill_ ? spill_->trimmed().count(seq) : 0;
  const auto& by_position = parts_.front()->cache().get_cells(seq).seq_pos_get(seq);
  if (by_position.empty()) return 0;
  const auto positions = static_cast<std::uint64_t>(by_position.rbegin()->first) + 1;
  return positions > by_position.size() ? positions - by_position.size() : 0;
}

void KvPool::note_gaps(const SeqSet& seqs) {
  for (std::size_t seq = seqs._Find_first(); seq < seqs.size(); seq = seqs._Find_next(seq)) {
    gaps_.at(seq).look(missing_tokens(static_cast<llama_seq_id>(seq)));
  }
}

void KvPool::begin_response(llama_seq_id seq) { gaps_.at(static_cast<std::size_t>(seq)) = {}; }

ContextGap KvPool::gap(llama_seq_id seq) const { return gaps_.at(static_cast<std::size_t>(seq)); }

/// llama.cpp saves rows without their tokens, and says 0 of each that it loads. Evaluated anew as
/// that, they would be something else: unknown is what they are.
void KvPool::forget_tokens(llama_seq_id seq) {
  if (!counts_by_token(context_)) return;  // saved with their rows
  for (const auto& part : parts_) {
    llama_kv_cells& cells = cells_of(part->cache(), part->cache().get_stream(seq));
    for (const auto& [pos, cell] : cells.seq_pos_get(seq)) cells.ext_set(cell, {});
  }
}

void KvPool::know_loaded(std::span<const llama_token> tokens) {
  if (loaded_ >= 0) know_tokens(loaded_, tokens);
}

void KvPool::know_tokens(llama_seq_id seq, std::span<const llama_token> tokens) {
  loaded_ = -1;
  if (!counts_by_token(context_)) return;
  for (const auto& part : parts_) {
    llama_kv_cells& cells = cells_of(part->cache(), part->cache().get_stream(seq));
    for (const auto& [pos, cell] : cells.seq_pos_get(seq)) {
      if (static_cast<std::size_t>(pos) >= tokens.size()) break;
      if (cells.ext_get(cell).tok != LLAMA_TOKEN_NULL) continue;
      cells.ext_set(cell, {.x = 0, .y = 0, .tok = tokens[static_cast<std::size_t>(pos)]});
    }
  }
}

}  // namespace kvpsi
