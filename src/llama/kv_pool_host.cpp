// SPDX-License-Identifier: MIT
// What a host that knows its conversations tells of their sequences, and asks: which of them may be
// trimmed, what their tokens are, and how much of one is missing. See kv_pool.h.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "llama-kv-cache.h"
#include "llama-model.h"
#include "llama/kv_pool.h"
#include "llama/kv_repair.h"

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
  if (!spill_ || wholly.none() || spill_->trimmed().empty()) return;
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
    const auto number = static_cast<llama_seq_id>(seq);
    const std::uint64_t missing = missing_tokens(number);
    Response& response = responses_.at(seq);
    response.gap.look(missing);
    response.prompt.clear();
    if (missing == 0) continue;
    const llama_pos next = parts_.front()->cache().seq_pos_max(number) + 1;
    response.tainted = std::min(response.tainted, next);
  }
}

void KvPool::begin_response(llama_seq_id seq, const ResponseTerms& terms) {
  set_trim_right(seq, terms.may_trim, terms.priority);
  Response& response = responses_.at(static_cast<std::size_t>(seq));
  response.gap = {};
  response.refill_end = 0;
  const bool is_text = counts_by_token(context_) &&
                       std::ranges::find(terms.prompt, LLAMA_TOKEN_NULL) == terms.prompt.end();
  response.prompt.clear();
  if (is_text) response.prompt.assign(terms.prompt.begin(), terms.prompt.end());
}

void KvPool::end_response(llama_seq_id seq) {
  set_trim_right(seq, false, 0);
  responses_.at(static_cast<std::size_t>(seq)).prompt.clear();
}

ContextGap KvPool::gap(llama_seq_id seq) const {
  return responses_.at(static_cast<std::size_t>(seq)).gap;
}

/// What the host took out itself is not back.
void KvPool::rebase_gaps() {
  for (std::size_t seq = 0; seq < responses_.size(); ++seq) {
    ContextGap& gap = responses_.at(seq).gap;
    if (gap.missing > 0) gap.missing = missing_tokens(static_cast<llama_seq_id>(seq));
  }
}

/// The sequence (negative: every one) ends before p0 now.
void KvPool::note_cut(llama_seq_id seq, llama_pos p0) {
  for (std::size_t s = 0; s < responses_.size(); ++s) {
    if (seq >= 0 && s != static_cast<std::size_t>(seq)) continue;
    Response& response = responses_.at(s);
    if (std::max(p0, 0) <= response.tainted) response.tainted = kUntainted;
    const bool is_bad = was_missing_ || response.tainted != kUntainted;
    response.refill_end = seq >= 0 && p0 > 0 && is_bad ? p0 : 0;
  }
}

void KvPool::after_state_read(llama_seq_id seq, bool done, const StatePlace& place) {
  if (seq < 0 || !done) return;
  const llama_pos tainted = responses_.at(static_cast<std::size_t>(seq)).tainted;
  const auto noted = saved_taint_.note(place, tainted);
  if (noted) return;
  losses_.push_back(fmt::format(
      "who loads this state will not know that its rows from {} on were evaluated without some "
      "before them: {}",
      tainted, describe(noted.error())));
}

/// Rows that stayed are what they were.
void KvPool::note_loaded(llama_seq_id seq, bool replaced, const StatePlace& place) {
  loaded_ = seq;
  if (seq < 0) return;
  llama_pos& tainted = responses_.at(static_cast<std::size_t>(seq)).tainted;
  const llama_pos found = saved_taint_.find(place);
  tainted = replaced ? found : std::min(tainted, found);
}

/// One continues what was answered with the other.
void KvPool::note_copied(llama_seq_id from, llama_seq_id to) {
  const Response& source = responses_.at(static_cast<std::size_t>(from));
  Response& copy = responses_.at(static_cast<std::size_t>(to));
  copy.gap = source.gap;
  copy.tainted = source.tainted;
}

/// Only now, since the batch that is about to be decoded has what the evaluation needs of the host:
/// its adapters.
void KvPool::refill(const SeqSet& seqs) {
  for (std::size_t seq = seqs._Find_first(); seq < seqs.size(); seq = seqs._Find_next(seq)) {
    const llama_pos end = std::exchange(responses_.at(seq).refill_end, 0);
    if (end > 0) refill(static_cast<llama_seq_id>(seq), end);
  }
}

/// The host goes on at `end`, behind tokens that it takes to be there. Where those at the end are
/// not, llama.cpp refuses its batch, and llama-server then fails everybody's; where the sequence
/// may not be trimmed, none may be missing.
void KvPool::refill(llama_seq_id seq, llama_pos end) {
  if (has_window() || !counts_by_token(context_)) return;
  const auto is_open = [&] { return parts_.front()->cache().seq_pos_max(seq) < end - 1; };
  const Response& response = responses_.at(static_cast<std::size_t>(seq));
  const bool may_trim = rights_.allowed.test(static_cast<std::size_t>(seq));
  const bool is_whole = missing_tokens(seq) == 0 && response.tainted >= end;
  if (!is_open() && (may_trim || is_whole)) return;
  const llama_pos begin = find_first_bad(seq, end);
  if (!evaluate_prompt(seq, begin, end) && is_open()) close_gap(seq, end);
}

/// What is missing before `end` is not known, or finds the cache full. The last token that is there
/// is taken for the one before `end`: its row is its own, so that attention sees it where it was.
void KvPool::close_gap(llama_seq_id seq, llama_pos end) {
  if (!options_.trim_only_allowed) return;  // the host looks where its sequence ends
  const llama_kv_cache& cache = parts_.front()->cache();
  llama_kv_cells& cells = cells_of(cache, cache.get_stream(seq));
  const auto& by_position = cells.seq_pos_get(seq);
  if (by_position.empty()) return;
  const auto [last, cell] = *by_position.rbegin();
  if (cells.seq_count(cell) > 1) return;
  if (spill_) {
    spill_->settle();
    spill_->bring_back(SeqSet().set(static_cast<std::size_t>(seq)));
  }
  CellMeta meta = read_meta(cells, cell);
  meta.pos = end - 1;
  cells.rm(cell);
  set_meta(cells, cell, meta);
  if (spill_) spill_->look_again(false);
  losses_.push_back(
      fmt::format("sequence {} goes on at {} without the tokens from {} on, which are gone", seq,
                  end, last + 1));
}

/// The first position before `end` that is missing or was evaluated while one was; `end`: none.
llama_pos KvPool::find_first_bad(llama_seq_id seq, llama_pos end) const {
  const llama_pos tainted = responses_.at(static_cast<std::size_t>(seq)).tainted;
  llama_pos next = 0;
  for (const auto& [pos, cell] : parts_.front()->cache().get_cells(seq).seq_pos_get(seq)) {
    if (pos > next) break;
    next = pos + 1;
  }
  return std::min({next, tainted, end});
}

/// False: these tokens are not known, or there is no room for them.
bool KvPool::evaluate_prompt(llama_seq_id seq, llama_pos begin, llama_pos end) {
  Response& response = responses_.at(static_cast<std::size_t>(seq));
  const std::span<const llama_token> prompt = response.prompt;
  if (prompt.size() < static_cast<std::size_t>(end)) return false;
  for (const auto& part : parts_) part->cells().note_live();  // cells are freed
  std::uint64_t left = 0;
  if (spill_) {
    spill_->bring_back(SeqSet().set(static_cast<std::size_t>(seq)));
    left = spill_->trimmed().count(seq, begin);
  }
  const auto first = static_cast<std::size_t>(begin);
  const bool shifts = is_shift_pending();
  const bool done =
      evaluate_anew(context_, memory_, parts_.front()->cache().get_cells(seq), spill_.get(), seq,
                    begin, prompt.subspan(first, static_cast<std::size_t>(end) - first));
  if (shifts) note_written_everywhere();
  if (!done) return false;
  counters_.tokens_of(seq).reevaluated += left;
  if (begin <= response.tainted) response.tainted = kUntainted;
  if (missing_tokens(seq) > 0) response.tainted = std::min(response.tainted, begin);
  return true;
}

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
