// SPDX-License-Identifier: MIT
// The way back from the file: rows into the cells that wait for them, trimmed tokens into free
// cells at their old positions. See kv_spill.h. Until a block has been read and has verified, its
// cells stay marked as out; one that does not verify is handed over as lost, never loaded.
#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "llama/kv_spill.h"

namespace kvpsi {

namespace {

constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max() / 4;

/// Adds the time until the end of its scope.
class Stopwatch {
 public:
  explicit Stopwatch(std::atomic<std::uint64_t>& sum_us) : sum_us_(sum_us) {}
  ~Stopwatch() { sum_us_.fetch_add(monotonic_us() - start_us_, std::memory_order_relaxed); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  std::atomic<std::uint64_t>& sum_us_;
  const std::uint64_t start_us_ = monotonic_us();
};

}  // namespace

bool KvSpill::start_page_in(const CellBlock* block) {
  const std::optional<unsigned> slot = block != nullptr ? worker_->take_slot() : std::nullopt;
  if (!slot) return false;
  jobs_[*slot] = {Work::page_in, spilled_.take(block), {}, monotonic_us()};
  worker_->read(*slot, jobs_[*slot].block.where);
  return true;
}

bool KvSpill::start_untrim(const TrimmedBlock* block) {
  const std::optional<unsigned> slot = block != nullptr ? worker_->take_slot() : std::nullopt;
  if (!slot) return false;
  jobs_[*slot] = {Work::untrim, {}, trimmed_.take(block), monotonic_us()};
  worker_->read(*slot, jobs_[*slot].tokens.where);
  return true;
}

void KvSpill::end_page_in(Job& job, unsigned slot, bool ok) {
  CellBlock& block = job.block;
  SpilledCells::mark_back(block);
  worker_->erase(block.where);
  if (!ok) {
    if (block.count() > 0) lost_blocks_.push_back(std::move(block));
    return;
  }
  scatter_rows(block.part->layout().layouts, block.stream, block.cells, worker_->buffer(slot));
  block.part->cells().note_live();  // a sliding window may free them before anybody looks
  back_.bytes += block.bytes();
  counters_.bytes_restored.fetch_add(block.bytes(), std::memory_order_relaxed);
}

void KvSpill::end_untrim(Job& job, unsigned slot, bool ok) {
  if (!ok) return lost_trimmed_.add(std::move(job.tokens));
  if (may_change_ && place(job.tokens, slot)) return worker_->erase(job.tokens.where);
  no_room_ = may_change_;
  trimmed_.add(std::move(job.tokens));
}

/// Puts the tokens into free cells, lowest first, which keeps attention short. Without room for all
/// none, or where the host waits for the last of them, those at the highest positions. False: the
/// block still has tokens.
bool KvSpill::place(TrimmedBlock& block, unsigned slot) {
  KvPart& part = *parts_.front();
  llama_kv_cells& cells = cells_of(part.cache(), block.stream);
  const std::size_t count = block.count();
  const std::size_t room = cells.size() - cells.get_used();
  const std::size_t fits = std::min(count, room > spare_cells_ ? room - spare_cells_ : 0);
  if (fits < count && !takes_part_) return false;
  std::vector<std::uint32_t> targets(block.tokens.size(), kNoCell);
  std::size_t to_skip = count - fits;
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (block.tokens[i].pos < 0) continue;
    if (to_skip > 0) {
      --to_skip;
      continue;
    }
    while (!cells.is_empty(next)) ++next;
    targets[i] = next++;
  }
  scatter_rows(part.layout().layouts, block.stream, targets, worker_->buffer(slot));
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] == kNoCell) continue;
    set_meta(cells, targets[i], block.tokens[i]);
    ++counters_.tokens_of(first_owner(block.tokens[i])).restored;
    block.tokens[i] = CellMeta{};
  }
  back_.tokens += fits;
  back_.bytes += fits * part.bytes_per_cell();
  counters_.bytes_restored.fetch_add(fits * part.bytes_per_cell(), std::memory_order_relaxed);
  return fits == count;
}

/// Starts reading the next block if it is no larger than `most_bytes`.
bool KvSpill::start_restore(std::uint64_t most_bytes, bool may_place) {
  const TrimmedBlock* const trimmed = may_place && !no_room_ ? trimmed_.find(-1, 0, -1) : nullptr;
  if (trimmed != nullptr) {
    const std::uint64_t bytes = trimmed->count() * parts_.front()->bytes_per_cell();
    return bytes <= most_bytes && start_untrim(trimmed);
  }
  const CellBlock* const block = spilled_.find(~parked_sequences());
  return block != nullptr && block->bytes() <= most_bytes && start_page_in(block);
}

SpillProgress KvSpill::restore(std::uint64_t bytes, bool may_place, std::uint32_t spare_cells,
                               std::uint64_t deadline_us) {
  const Total before = back_;
  const Stopwatch watch(counters_.restore_us);
  spare_cells_ = spare_cells;
  no_room_ = false;
  while (true) {
    while (collect(0)) continue;
    const std::uint64_t coming =
        back_.bytes - before.bytes + bytes_in(Work::page_in) + bytes_in(Work::untrim);
    // One block at least, or a budget smaller than a block would never be used.
    const std::uint64_t most = coming == 0 ? kForever : (bytes > coming ? bytes - coming : 0);
    if (most > 0 && start_restore(most, may_place)) continue;
    const std::uint64_t now = monotonic_us();
    const bool reads = count_jobs(Work::page_in) + count_jobs(Work::untrim) > 0;
    if (!reads || !collect(now < deadline_us ? deadline_us - now : 0)) break;
  }
  spare_cells_ = 0;
  SpillProgress progress;
  progress.bytes = back_.bytes - before.bytes;
  progress.tokens = back_.tokens - before.tokens;
  if (count_jobs(Work::page_in) + count_jobs(Work::untrim) > 0) {
    progress.status = Status::more;
  } else if (has_lost()) {
    progress.status = Status::failed;
    progress.errno_value = EIO;
  } else {
    progress.status = progress.bytes > 0 ? Status::done : Status::nothing;
  }
  return progress;
}

void KvSpill::bring_back(const SeqSet& seqs) {
  if (!holds(seqs)) return;
  const Stopwatch watch(counters_.restore_us);
  while (holds(seqs)) {
    if (start_page_in(spilled_.find(seqs))) continue;
    if (!wait_for_one()) return;
  }
}

bool KvSpill::bring_back_trimmed(llama_seq_id seq, llama_pos p0, llama_pos p1) {
  settle_untrims();
  if (trimmed_.empty()) return true;
  const Stopwatch watch(counters_.restore_us);
  no_room_ = false;
  takes_part_ = true;
  while (!no_room_) {
    if (start_untrim(trimmed_.find(seq, p0, p1))) continue;
    if (!wait_for_one()) break;  // nothing is left to read
  }
  settle_untrims();
  takes_part_ = false;
  return trimmed_.find(seq, p0, p1) == nullptr;
}

}  // namespace kvpsi
