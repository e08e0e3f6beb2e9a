// SPDX-License-Identifier: MIT
// KvSpill: rows of KV cells on their way to the spill file and back. Three things are done with
// them: idle sequences are paged out in place (metadata stays valid), spans are trimmed from a
// running context once their rows lie in the file, and both come back. The engine only copies
// between rows and a staging buffer; the disk is the worker thread's. Everything with the engine's
// mutex held. Next hops: spilled_cells.h and trimmed_cells.h (what lies in the file), kv_rows.h
// (the bytes), govern/spill_worker.h (the disk), kv_pool.h (who asks).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "govern/spill_worker.h"
#include "llama/counters.h"
#include "llama/kv_part.h"
#include "llama/spilled_cells.h"
#include "llama/trim.h"
#include "llama/trimmed_cells.h"

namespace kvpsi {

/// How far one call got. `bytes` and `tokens` are of rows that arrived: in the file and out of
/// memory's accounts, or back in their cells.
struct SpillProgress {
  Status status = Status::nothing;
  std::uint64_t bytes = 0;
  std::uint64_t tokens = 0;
  int errno_value = 0;
};

/// Cells whose rows did not come back from the file. The file holds nothing of them any more.
struct LostCells {
  std::vector<CellBlock> blocks;      ///< still in the cache, rows without meaning
  std::vector<TrimmedBlock> trimmed;  ///< not in the cache
};

class KvSpill {
 public:
  /// `context` names model and context in every block. The store must outlive this object.
  /// Errors: those of SpillWorker::start; unsupported where the row of one cell is no block.
  static Result<std::unique_ptr<KvSpill>> create(SpillStore& store, std::vector<KvPart*> parts,
                                                 llama_memory_t memory, std::uint64_t context,
                                                 const GovernOptions& options, Counters& counters);
  ~KvSpill();
  KvSpill(const KvSpill&) = delete;
  KvSpill& operator=(const KvSpill&) = delete;

  /// These sequences are about to be decoded: not idle, and none of their rows leaves before
  /// end_use, however short idle is.
  void begin_use(const SeqSet& seqs);
  void end_use();
  /// A pinned sequence is never paged out.
  void pin(llama_seq_id seq, bool pinned) { pinned_.set(static_cast<std::size_t>(seq), pinned); }

  /// Pages out the longest idle rows until `bytes` of them have left or the time is over (`more`).
  /// Their pages are the caller's to release.
  SpillProgress page_out(std::uint64_t bytes, std::uint64_t deadline_us);

  /// Takes these spans out of the context; goes on with spans of earlier calls, if any. An empty
  /// list just goes on. Metadata changes: inference thread.
  SpillProgress trim(std::span<const TrimSpan> spans, std::uint64_t deadline_us);
  bool is_trimming() const {
    return !spans_.empty() || !written_.empty() || count_jobs(Work::trim) > 0;
  }

  /// Brings back at most `bytes` (one block at least): trimmed spans first if `may_place`, then
  /// rows paged out in place, the last to leave first. `spare_cells` of each stream stay free.
  SpillProgress restore(std::uint64_t bytes, bool may_place, std::uint32_t spare_cells,
                        std::uint64_t deadline_us);

  /// All rows of these sequences are in memory afterwards, or in take_lost(). Waits for the disk.
  void bring_back(const SeqSet& seqs);
  /// The same for trimmed tokens of the sequence (negative: any) at positions [p0, p1). False: no
  /// free cells for some of them; those at the highest positions came back.
  bool bring_back_trimmed(llama_seq_id seq, llama_pos p0, llama_pos p1);

  /// Carries out what has ended meanwhile. Does not wait.
  void poll() {
    while (collect(0)) continue;
  }

  /// Nothing is on its way afterwards: what was written or read is carried out. Waits for the disk.
  void settle();

  /// May metadata be changed by what ends from now on? Trimmed rows wait for that in either
  /// direction.
  void set_may_change(bool may) { may_change_ = may; }
  /// No trimmed row is on its way back afterwards: to be called before metadata changes.
  void settle_untrims();

  /// The host changes this sequence (negative: any), so what was to be trimmed of it stays.
  void cancel_trims(llama_seq_id seq);
  /// Trims whose rows are in the file are carried out. Metadata changes.
  void commit_trims();

  /// Metadata changed. `decoded`: by a decode or a state load, which may also have reused cells.
  void look_again(bool decoded);
  void forget_all();

  // What the host did to its sequences, done to their tokens that are not in the cache.
  void seq_rm(llama_seq_id seq, llama_pos p0, llama_pos p1);
  void seq_cp(llama_seq_id from, llama_seq_id to, llama_pos p0, llama_pos p1);
  void seq_keep(llama_seq_id seq);

  /// Hands over what could not be read since the last call, after every row of the sequences
  /// concerned has been brought back: they are about to be decoded. Waits for the disk.
  LostCells take_lost();
  bool has_lost() const { return !lost_blocks_.empty() || !lost_trimmed_.empty(); }

  SpilledCells& spilled() { return spilled_; }
  const TrimmedCells& trimmed() const { return trimmed_; }
  /// Calls visit(const CellMeta&) for every token that is not in the cache: in the file, on its way
  /// back, or lost and not yet evaluated anew.
  template <class Visit>
  void for_each_absent(Visit visit) const {
    trimmed_.for_each(visit);
    lost_trimmed_.for_each(visit);
    for (const Job& job : jobs_) {
      if (job.work == Work::untrim) job.tokens.for_each(visit);
    }
  }
  const llama_kv_cells& cells_of_sequence(llama_seq_id seq) const {
    return parts_.front()->cache().get_cells(seq);
  }
  std::uint64_t spillable_bytes() const;  ///< could be paged out now
  std::uint64_t idle_bytes() const;       ///< of these, idle for so long that they go at rest too
  std::uint64_t spilled_bytes() const;    ///< paged out in place
  std::uint64_t parked_bytes() const;     ///< of these, of nobody who is not idle for that long
  std::uint64_t trimmed_bytes() const;
  bool holds(const SeqSet& seqs) const;  ///< rows of any of them are paged out in place
  bool is_busy() const { return !worker_->is_idle(); }
  /// May rows be written now? Not for ten seconds after the disk refused some.
  bool can_write() const;

 private:
  enum class Work : std::uint8_t { none, page_out, trim, page_in, untrim };
  struct Job {
    Work work = Work::none;
    CellBlock block;         // page_out, trim, page_in
    TrimmedBlock tokens;     // untrim
    std::uint64_t t_us = 0;  // when its rows were copied
  };

  KvSpill(SpillStore& store, std::vector<KvPart*> parts, llama_memory_t memory,
          std::uint64_t context, const GovernOptions& options, Counters& counters,
          std::unique_ptr<SpillWorker> worker);

  void note_use(const SeqSet& seqs);
  std::size_t capacity(const KvPart& part) const;
  SeqSet idle_sequences() const { return find_idle(idle_us_); }
  SeqSet parked_sequences() const { return park_us_ == 0 ? SeqSet() : find_idle(park_us_); }
  SeqSet find_idle(std::uint64_t least_us) const;
  std::uint64_t count_bytes(const SeqSet& idle) const;
  std::vector<bool> cells_on_their_way(const KvPart& part, std::uint32_t stream) const;
  bool choose_idle(CellBlock& out) const;
  void collect_idle(KvPart& part, llama_seq_id seq, const SeqSet& idle, CellBlock& out) const;
  void collect_span(TrimSpan& from, CellBlock& out) const;
  bool choose_span(CellBlock& out);
  bool start_write(Work work, CellBlock block);
  bool start_page_in(const CellBlock* block);
  bool start_untrim(const TrimmedBlock* block);

  /// Waits for one transfer at most `wait_us` and carries out what follows from it. False: none.
  bool collect(std::uint64_t wait_us);
  bool wait_for_one();
  void end_write(Job& job, const Result<SpillBlock>& result);
  void commit_page_out(Job& job);
  void commit_trim(Job& job);
  void end_page_in(Job& job, unsigned slot, bool ok);
  void end_untrim(Job& job, unsigned slot, bool ok);
  bool place(TrimmedBlock& block, unsigned slot);
  SeqSet lost_owners() const;
  void refuse(int error);

  std::uint64_t count_jobs(Work work) const;
  std::uint64_t bytes_in(Work work) const;
  bool start_restore(std::uint64_t most_bytes, bool may_place);

  SpillStore& store_;
  const std::unique_ptr<SpillWorker> worker_;
  const std::vector<KvPart*> parts_;
  const llama_memory_t memory_;
  const std::uint64_t context_;
  const std::uint64_t idle_us_;
  const std::uint64_t park_us_;
  Counters& counters_;
  SpilledCells spilled_;
  TrimmedCells trimmed_;
  std::deque<TrimSpan> spans_;  // still to be trimmed
  std::deque<Job> written_;     // trims whose rows are in the file, to be carried out
  std::array<Job, SpillWorker::kSlots> jobs_;
  std::array<std::uint64_t, LLAMA_MAX_SEQ> used_us_{};
  SeqSet pinned_;
  SeqSet in_use_;  // of the decode that runs or is about to
  std::vector<CellBlock> lost_blocks_;
  TrimmedCells lost_trimmed_;
  struct Total {
    std::uint64_t bytes = 0;
    std::uint64_t tokens = 0;
  };
  Total out_;   // paged out in place, since the beginning
  Total cut_;   // trimmed
  Total back_;  // restored; tokens: of trimmed ones
  std::uint64_t serial_ = 0;
  std::uint64_t refused_us_ = 0;  // when the disk last refused a write, 0 = never
  int refused_errno_ = 0;
  std::uint32_t spare_cells_ = 0;  // for the restore that runs
  bool no_room_ = false;           // the last trimmed block found no free cells
  bool takes_part_ = false;        // as much of a trimmed block as fits comes back
  bool may_change_ = true;
};

}  // namespace kvpsi
