// SPDX-License-Identifier: MIT
// The gap rule: before the host does anything that depends on rows which lie in the file, or on
// tokens that were trimmed, those are back; and whatever it does to a sequence is done to its
// tokens in the file as well. See kv_pool.h; design.md, section 5.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <ranges>
#include <utility>

#include "base/clock.h"
#include "llama-kv-cache.h"
#include "llama/kv_pool.h"
#include "llama/kv_repair.h"

namespace kvpsi {

namespace {

SeqSet set_of(llama_seq_id seq) {
  SeqSet seqs;
  if (seq < 0) return seqs.set();
  return seqs.set(static_cast<std::size_t>(seq));
}

}  // namespace

bool KvPool::is_shift_pending() const {
  return std::ranges::any_of(parts_,
                             [](const auto& part) { return part->cache().get_has_shift(); });
}

void KvPool::before_decode(const SeqSet& seqs, std::uint32_t tokens) {
  batch_tokens_ = tokens;
  loaded_ = -1;
  if (spill_) {
    spill_->begin_use(seqs);
    spill_->poll();
    spill_->bring_back(seqs);
    repair_lost();
    bring_whole(seqs);
    close_ends(open_ends_ & seqs);
  }
  refill(seqs);
  serve(Moment::before_decode);
  if (pack_wanted_) static_cast<void>(compact_cells(monotonic_us() + kSafePointBudgetUs));
  note_gaps(seqs);
  note_reduced_context();
}

void KvPool::before_graph() {
  const bool shifts = is_shift_pending();
  const bool has_copied = copy_pending_;
  // A copy wrote all rows of its target, a shift the keys of all cells, free ones among them.
  if (copy_pending_ || shifting_) note_written_everywhere();
  copy_pending_ = false;
  shifting_ = shifts;
  // What came along without need, and so that only what lives counts as written.
  if (has_copied) static_cast<void>(release(kSafePointBudgetUs));
  if (has_window()) {
    // This graph's tokens have their cells. Others may have lost theirs: of idle sequences and,
    // before the decode is over, of this one.
    for (const auto& part : parts_) part->cells().note_live();
    if (spill_) spill_->look_again(true);
  }
  serve(Moment::in_decode);
}

void KvPool::after_decode(bool failed) {
  batch_tokens_ = 0;
  if (spill_) spill_->end_use();  // a batch may take longer than idleness
  if (failed || shifting_) note_written_everywhere();
  shifting_ = false;
  if (spill_ && (failed || has_window())) spill_->look_again(true);
  note_reduced_context();
  serve(Moment::after_decode);
}

void KvPool::note_written_everywhere() {
  for (const auto& part : parts_) part->on_written_everywhere();
}

void KvPool::before_change(llama_seq_id seq) {
  if (spill_) {
    spill_->settle_untrims();
    spill_->cancel_trims(seq);
  }
  for (const auto& part : parts_) part->cells().note_live();
}

/// The host goes on behind the last position of a sequence, so that one must be in the cache. It is
/// tried again before a decode where no cell is free.
void KvPool::close_end(llama_seq_id seq) {
  const llama_pos last = spill_->trimmed().last(seq);
  const bool is_open = last > parts_.front()->cache().seq_pos_max(seq);
  const bool is_closed = !is_open || spill_->bring_back_trimmed(seq, last, last + 1);
  open_ends_.set(static_cast<std::size_t>(seq), !is_closed);
}

/// An end that cannot be read is evaluated anew; where that fails, the one before it is the end.
void KvPool::close_ends(const SeqSet& seqs) {
  bool closes = true;
  while (closes && seqs.any()) {
    const auto all = static_cast<llama_seq_id>(parts_.front()->cache().get_n_seq_max());
    for (llama_seq_id seq = 0; seq < all; ++seq) {
      if (seqs.test(static_cast<std::size_t>(seq))) close_end(seq);
    }
    closes = spill_->has_lost();
    repair_lost();
  }
}

void KvPool::before_seq_rm(llama_seq_id seq) {
  before_change(seq);
  was_missing_ = seq >= 0 && missing_tokens(seq) > 0;
}

/// After the call rather than before it, since the call makes room.
void KvPool::after_seq_rm(llama_seq_id seq, llama_pos p0, llama_pos p1) {
  if (spill_) {
    spill_->seq_rm(seq, std::max(p0, 0), p1);
    spill_->look_again(false);
    close_ends(set_of(seq));
    note_reduced_context();
  }
  rebase_gaps();
  if (p1 < 0) note_cut(seq, p0);
}

void KvPool::before_seq_cp(llama_seq_id from, llama_seq_id to) {
  before_change(from);
  before_change(to);
  const llama_kv_cache& cache = parts_.front()->cache();
  if (!spill_ || cache.get_stream(from) == cache.get_stream(to)) return;
  // A copy between streams is one of whole buffers.
  spill_->settle();
  bring_all_back(from);
  spill_->bring_back(set_of(to));
}

void KvPool::after_seq_cp(llama_seq_id from, llama_seq_id to, llama_pos p0, llama_pos p1) {
  const llama_kv_cache& cache = parts_.front()->cache();
  const bool same_stream = cache.get_stream(from) == cache.get_stream(to);
  if (!same_stream) copy_pending_ = true;
  note_copied(from, to);
  if (!spill_) return;
  if (same_stream) {
    spill_->seq_cp(from, to, std::max(p0, 0), p1);
  } else {
    spill_->seq_rm(to, 0, -1);
    const std::uint64_t left = spill_->trimmed().count(from);
    counters_.tokens_of(to).spoiled += left;
    if (left > 0) lose(left, "is a copy of one whose trimmed tokens found the cache full", to);
  }
  spill_->look_again(false);
  close_end(to);
}

void KvPool::after_seq_keep(llama_seq_id seq) {
  if (!spill_) return;
  spill_->seq_keep(seq);
  spill_->look_again(false);
}

/// A shift rotates every key of every sequence, by nothing for most; quantised ones change all the
/// same. So all of them must be there.
void KvPool::before_shift(llama_seq_id seq) {
  before_change(-1);
  if (!spill_) return;
  spill_->settle();
  bring_all_back(seq);
  spill_->bring_back(SeqSet().set());
  // What found no room has keys of its old positions: of no use after the shift.
  const std::uint64_t left = spill_->trimmed().count(seq);
  if (left == 0) return;
  lose(left, "was shifted while its trimmed tokens found the cache full", seq);
  spill_->seq_rm(seq, 0, -1);
}

/// llama.cpp rotates the keys with the next decode: see before_graph.
void KvPool::after_shift() {
  if (spill_) spill_->look_again(false);
  rebase_gaps();
  for (Response& response : responses_) {  // positions have moved
    if (response.tainted != kUntainted) response.tainted = 0;
  }
}

void KvPool::after_clear(bool data) {
  note_cut(-1, 0);
  if (spill_) spill_->forget_all();
  if (data) {
    for (const auto& part : parts_) part->on_cleared();
  }
  note_reduced_context();
}

/// The rows are about to be read by somebody else than a decode.
void KvPool::before_state_read(llama_seq_id seq) {
  if (!spill_) return;
  spill_->settle_untrims();
  bring_all_back(seq);
  note_reduced_context();
  const std::uint64_t left = spill_->trimmed().count(seq);
  if (left == 0) return;
  std::string loss = fmt::format(
      "the state of sequence {} is saved without {} trimmed tokens, which find the cache full", seq,
      left);
  // Asked for its size first, then for its bytes.
  if (losses_.empty() || losses_.back() != loss) losses_.push_back(std::move(loss));
}

void KvPool::before_state_write(llama_seq_id seq) {
  before_change(seq);
  if (spill_) {
    spill_->settle();
    spill_->bring_back(set_of(seq));
  }
  before_write_ = cells_of_sequence(seq);
}

/// Position, cell and token of each cell of the sequence.
std::vector<KvPool::Place> KvPool::cells_of_sequence(llama_seq_id seq) const {
  std::vector<Place> out;
  if (seq < 0) return out;
  const llama_kv_cells& cells = parts_.front()->cache().get_cells(seq);
  for (const auto& [pos, cell] : cells.seq_pos_get(seq)) {
    out.push_back({pos, cell, cells.ext_get(cell).tok});
  }
  return out;
}

/// Rows were written from outside a decode, and metadata only tells of those that stayed.
void KvPool::after_state_write(llama_seq_id seq, bool done, const StatePlace& place) {
  note_written_everywhere();
  // A state without cells, or one that could not be read at all, leaves a sequence as it was.
  const bool replaced = seq < 0 ? done || parts_.front()->cells().used() == 0
                                : cells_of_sequence(seq) != before_write_;
  const bool says_zero =
      std::ranges::all_of(before_write_, [](const Place& at) { return at.token == 0; });
  before_write_.clear();
  if (done) note_loaded(seq, replaced, place);
  if (!spill_) return;
  if (replaced) spill_->seq_rm(seq, 0, -1);
  if (seq >= 0 && (replaced || says_zero)) forget_tokens(seq);
  spill_->look_again(true);
  note_reduced_context();
}

void KvPool::lose(std::uint64_t tokens, std::string_view why, llama_seq_id seq) {
  counters_.tokens_of(std::max(seq, 0)).lost += tokens;
  losses_.push_back(fmt::format("{} tokens are lost: sequence {} {}", tokens, seq, why));
}

void KvPool::bring_all_back(llama_seq_id seq) {
  spill_->bring_back(set_of(seq));
  static_cast<void>(spill_->bring_back_trimmed(seq, 0, -1));
  repair_lost();
}

/// Tokens of the sequence that could not be read back will not come back.
void KvPool::settle(llama_seq_id seq) {
  if (spill_) spill_->settle_untrims();
  repair_lost(seq);
}

void KvPool::repair_lost(llama_seq_id ending) {
  if (!spill_ || !spill_->has_lost()) return;
  for (const auto& part : parts_) part->cells().note_live();  // repairing frees cells
  const bool shifts = is_shift_pending();
  const RepairOptions options{.from_start = has_window(), .ending = ending};
  for (Repair& done : repair(context_, memory_, options, spill_->take_lost(), *spill_)) {
    counters_.tokens_of(done.sequence) += done.account;
    if (!done.loss.empty()) losses_.push_back(std::move(done.loss));
  }
  if (shifts || has_window()) note_written_everywhere();
}

/// Time with a token out of a context that could still come back.
void KvPool::note_reduced_context() {
  const bool is_reduced = spill_ && spill_->trimmed_bytes() > 0;
  const std::uint64_t now = monotonic_us();
  if (reduced_since_us_ != 0) {
    counters_.reduced_context_us.fetch_add(now - reduced_since_us_, std::memory_order_relaxed);
  }
  reduced_since_us_ = is_reduced ? now : 0;
}

std::uint64_t KvPool::trim_cells(std::uint64_t wanted) {
  const bool allowed = trimmable_cells() > 0;
  if (!allowed) return 0;
  std::uint64_t taken = 0;
  if (can_trim_reversibly() && is_settled()) {
    spill_->settle();
    const TrimPlan plan =
        plan_trim(parts_.front()->cache(), rule(), rights_, wanted, cells_above_floor());
    const std::uint64_t never = std::numeric_limits<std::uint64_t>::max() / 2;
    if (!plan.spans.empty()) counters_.prunes.fetch_add(1, std::memory_order_relaxed);
    taken = spill_->trim(plan.spans, never).tokens;
  }
  if (taken < wanted && options_.trim == TrimMode::eager) taken += drop_for_good(wanted - taken);
  note_reduced_context();
  return taken;
}

/// Bytes of all used cells after that many more tokens, at most: a sliding window's cache takes
/// cells again that it no longer needs.
std::uint64_t KvPool::bytes_with(std::uint64_t more_tokens) const {
  std::uint64_t bytes = 0;
  for (const auto& part : parts_) {
    const KvCells& cells = part->cells();
    bytes += std::min(cells.used() + more_tokens, cells.total()) * part->bytes_per_cell();
  }
  return bytes;
}

std::uint64_t KvPool::cells_left() const {
  const KvCells& cells = parts_.front()->cells();
  const std::uint64_t left = cells.total() - cells.used();
  if (options_.kv_max_bytes == 0 || bytes_with(left) <= options_.kv_max_bytes) return left;
  const auto more = std::views::iota(std::uint64_t{0}, left + 1);
  const auto too_many = std::ranges::partition_point(
      more, [this](std::uint64_t tokens) { return bytes_with(tokens) <= options_.kv_max_bytes; });
  return too_many == more.begin() ? 0 : *too_many - 1;
}

void KvPool::measure(ContextMemory& out) {
  for (const auto& part : parts_) {
    part->cells().note_live();
    out.kv_reserved_bytes += part->reserved_bytes();
    out.kv_live_bytes += part->live_bytes();
    out.kv_resident_bytes += part->measured_bytes();
    out.kv_bytes_per_cell += part->bytes_per_cell();
  }
  out.kv_cells_live = parts_.front()->cells().used();
  out.kv_cells_total = parts_.front()->cells().total();
  note_reduced_context();
  if (!spill_) return;
  out.kv_trimmed_bytes = spill_->trimmed_bytes();
  out.kv_spilled_bytes = spill_->spilled_bytes() + out.kv_trimmed_bytes;
}

int KvPool::probe() { return parts_.front()->probe(); }

SelfCheck KvPool::self_check() {
  if (!elastic_) return {false, 0, "the KV cache is not elastic (governor off)"};
  if (!options_.release) return {false, 0, "page release is switched off"};
  return parts_.front()->self_check();
}

std::vector<std::string> KvPool::take_losses() { return std::exchange(losses_, {}); }

}  // namespace kvpsi
