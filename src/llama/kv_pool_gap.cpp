// SPDX-License-Identifier: MIT
// The gap rule: before the host does anything that depends on rows which lie in the file, or on
// tokens that were trimmed, those are back; and whatever it does to a sequence is done to its
// tokens in the file as well. See kv_pool.h; design.md, section 5.
#include <algorithm>
#include <limits>

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
  batch_seqs_ = seqs;
  if (spill_) {
    spill_->note_use(seqs);
    spill_->poll();
    spill_->bring_back(seqs);
    repair_lost();
  }
  serve(Moment::before_decode);
  if (pack_wanted_) static_cast<void>(compact_cells(monotonic_us() + kSafePointBudgetUs));
  note_reduced_context();
}

void KvPool::before_graph() {
  if (copy_pending_) {
    copy_pending_ = false;
    for (const auto& part : parts_) part->on_written_everywhere();  // all rows of the target
  }
  serve(Moment::in_decode);
}

void KvPool::after_decode(bool failed) {
  batch_tokens_ = 0;
  if (spill_) spill_->note_use(batch_seqs_);  // a batch may take longer than idleness
  if (failed) {
    for (const auto& part : parts_) part->on_written_everywhere();
  }
  if (spill_ && (failed || parts_.size() > 1)) spill_->look_again(true);
  note_reduced_context();
  serve(Moment::after_decode);
}

void KvPool::before_change() {
  for (const auto& part : parts_) part->cells().note_live();
  if (spill_) spill_->settle_untrims();
}

/// The host goes on from the position before p0: a gap that begins or ends there is closed. After
/// the call rather than before it, since the call makes room.
void KvPool::after_seq_rm(llama_seq_id seq, llama_pos p0, llama_pos p1) {
  if (!spill_) return;
  spill_->trimmed().seq_rm(seq, std::max(p0, 0), p1);
  spill_->look_again(false);
  const auto close_gap = [&](llama_seq_id s) {
    const llama_pos last = parts_.front()->cache().seq_pos_max(s);
    if (last < p0 - 1) static_cast<void>(spill_->bring_back_trimmed(s, p0 - 1, p0));
  };
  if (p0 > 0 && seq >= 0) close_gap(seq);
  if (p0 > 0 && seq < 0) {
    for (std::uint32_t s = 0; s < parts_.front()->cache().get_n_seq_max(); ++s) {
      close_gap(static_cast<llama_seq_id>(s));
    }
  }
  repair_lost();
  note_reduced_context();
}

void KvPool::before_seq_cp(llama_seq_id from, llama_seq_id to) {
  before_change();
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
  if (!spill_) return;
  if (same_stream) {
    spill_->trimmed().seq_cp(from, to, std::max(p0, 0), p1);
  } else {
    spill_->trimmed().seq_rm(to, 0, -1);
  }
  spill_->look_again(false);
}

void KvPool::after_seq_keep(llama_seq_id seq) {
  if (!spill_) return;
  spill_->trimmed().seq_keep(seq);
  spill_->look_again(false);
}

/// A shift rotates every key of every sequence, by nothing for most; quantised ones change all the
/// same. So all of them must be there.
void KvPool::before_shift(llama_seq_id seq) {
  before_change();
  if (!spill_) return;
  spill_->settle();
  bring_all_back(seq);
  spill_->bring_back(SeqSet().set());
  // What found no room has keys of its old positions: of no use after the shift.
  const std::uint64_t left = spill_->trimmed().count(seq);
  if (left == 0) return;
  counters_.tokens_lost.fetch_add(left, std::memory_order_relaxed);
  losses_.push_back(std::to_string(left) + " trimmed tokens of sequence " + std::to_string(seq) +
                    " were lost: its positions were shifted while the cache was full");
  spill_->trimmed().seq_rm(seq, 0, -1);
}

void KvPool::after_shift() {
  for (const auto& part : parts_) part->on_written_everywhere();
  if (spill_) spill_->look_again(false);
}

void KvPool::after_clear(bool data) {
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
}

void KvPool::before_state_write(llama_seq_id seq) {
  before_change();
  if (!spill_) return;
  spill_->settle();
  spill_->bring_back(set_of(seq));
}

/// Rows were written from outside a decode, and metadata only tells of those that stayed.
void KvPool::after_state_write(llama_seq_id seq, bool done) {
  for (const auto& part : parts_) part->on_written_everywhere();
  if (!spill_) return;
  const bool emptied = seq >= 0 && parts_.front()->cache().seq_pos_max(seq) < 0;
  if (done || emptied) spill_->trimmed().seq_rm(seq, 0, -1);
  spill_->look_again(false);
  note_reduced_context();
}

void KvPool::bring_all_back(llama_seq_id seq) {
  spill_->bring_back(set_of(seq));
  static_cast<void>(spill_->bring_back_trimmed(seq, 0, -1));
  repair_lost();
}

void KvPool::repair_lost() {
  if (!spill_ || !spill_->has_lost()) return;
  const Repair done = repair(context_, memory_, parts_.size() > 1, spill_->take_lost(), *spill_);
  counters_.tokens_reevaluated.fetch_add(done.tokens_reevaluated, std::memory_order_relaxed);
  counters_.tokens_lost.fetch_add(done.tokens_lost, std::memory_order_relaxed);
  losses_.insert(losses_.end(), done.losses.begin(), done.losses.end());
  spill_->look_again(false);
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
  if (can_trim_reversibly()) {
    spill_->settle();
    const TrimPlan plan = plan_trim(parts_.front()->cache(), rule(), wanted, cells_above_floor());
    const std::uint64_t never = std::numeric_limits<std::uint64_t>::max() / 2;
    if (!plan.spans.empty()) counters_.prunes.fetch_add(1, std::memory_order_relaxed);
    taken = spill_->trim(plan.spans, never).tokens;
  }
  if (taken < wanted && options_.trim == TrimMode::eager) taken += drop_for_good(wanted - taken);
  note_reduced_context();
  return taken;
}

std::uint64_t KvPool::cells_left() const {
  const std::uint64_t live = parts_.front()->cells().used();
  std::uint64_t most = parts_.front()->cells().total();
  if (options_.kv_max_bytes > 0) {
    most = std::min(most, options_.kv_max_bytes / parts_.front()->bytes_per_cell());
  }
  return most > live ? most - live : 0;
}

void KvPool::pin(llama_seq_id seq, bool pinned) {
  if (spill_) spill_->pin(seq, pinned);
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
