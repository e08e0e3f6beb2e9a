// SPDX-License-Identifier: MIT
// KvPool: the KV cache as memory that can be given back and taken again: pages of free cells are
// released, idle rows paged out, cells packed, tokens trimmed, and what lies in the spill file is
// restored. Everything but the constructor runs with the engine's mutex held.
// Next hops: kv_part.h (pages), kv_spill.h (rows and the file), kv_compact.h, trim.h (what to
// take out), kv_pool_gap.cpp (what must be back before the host may go on), kv_pool_host.cpp (what
// the host says of its sequences).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evict/sinks_window.h"
#include "llama.h"
#include "llama/context_gap.h"
#include "llama/counters.h"
#include "llama/elastic.h"
#include "llama/gated_pool.h"
#include "llama/kv_part.h"
#include "llama/kv_spill.h"
#include "llama/response_terms.h"
#include "llama/saved_taint.h"

namespace kvpsi {

class KvPool final : public GatedPool {
 public:
  /// `parts` must not be empty; trimming needs exactly one. With `elastic` off pages are never
  /// released.
  KvPool(EngineGate& gate, llama_context* context, std::vector<std::unique_ptr<KvPart>> parts,
         const GovernOptions& options, bool elastic, Counters& counters);
  ~KvPool() override;

  // Around a decode of these sequences. Inference thread.
  void before_decode(const SeqSet& seqs, std::uint32_t tokens);
  /// The first graph of a decode is about to run: llama.cpp has carried out pending copies.
  void before_graph();
  void after_decode(bool failed);

  // Around everything else that changes or reads cells. The host's thread, no decode running.
  // Negative sequence: every one. What the call needs is in memory when `before` returns.
  void before_change(llama_seq_id seq);
  void before_seq_rm(llama_seq_id seq);
  void after_seq_rm(llama_seq_id seq, llama_pos p0, llama_pos p1);
  void before_seq_cp(llama_seq_id from, llama_seq_id to);
  void after_seq_cp(llama_seq_id from, llama_seq_id to, llama_pos p0, llama_pos p1);
  void after_seq_keep(llama_seq_id seq);
  void before_shift(llama_seq_id seq);
  void after_shift();
  void after_clear(bool data);
  void before_state_read(llama_seq_id seq);
  void after_state_read(llama_seq_id seq, bool done, const StatePlace& place);
  void before_state_write(llama_seq_id seq);
  void after_state_write(llama_seq_id seq, bool done, const StatePlace& place);

  /// Ends governing: what lies in the file comes back first, unless the context dies with it.
  void let_go(bool context_dies);

  /// Takes at least `wanted` tokens out of the context if the options allow it, waiting for the
  /// disk where their rows must go there first. Inference thread, no decode running.
  std::uint64_t trim_cells(std::uint64_t wanted);

  /// Nobody goes on with the sequence: what of it cannot come back is lost by name from now on.
  void settle(llama_seq_id seq);

  /// How many more tokens fit below n_ctx and kv_max_bytes.
  std::uint64_t cells_left() const;
  bool can_trim() const { return options_.trim != TrimMode::off && !has_window(); }
  void pin(llama_seq_id seq, bool pinned);

  /// The tokens of the sequence by position, for cells that do not know theirs: those that were
  /// loaded from a saved state.
  void know_tokens(llama_seq_id seq, std::span<const llama_token> tokens);
  /// The same for the sequence that state has just been loaded into; none: nothing.
  void know_loaded(std::span<const llama_token> tokens);
  /// A response is made with the sequence from now on.
  void begin_response(llama_seq_id seq, const ResponseTerms& terms);
  /// It is over: the sequence is idle, and is not trimmed.
  void end_response(llama_seq_id seq);
  /// What the sequence had to do without since its response began.
  ContextGap gap(llama_seq_id seq) const;

  int probe();
  SelfCheck self_check();
  /// Fills in the KV part by page map.
  void measure(ContextMemory& out);
  std::uint64_t base_address() const { return parts_.front()->base_address(); }
  std::span<const std::unique_ptr<KvPart>> parts() const { return parts_; }
  const KvSpill* spill() const { return spill_.get(); }  ///< null without a spill store
  /// What was lost for good since the last call, a clause each.
  std::vector<std::string> take_losses();

 protected:
  PoolView look() override;
  Outcome perform(const Action& action, Moment moment, const Outcome& so_far) override;
  bool is_allowed(Verb verb, Moment moment) const override;
  int refusal(Verb verb) const override;

 private:
  Outcome release(std::uint64_t budget_us);
  Outcome spill(const Action& action, const Outcome& so_far);
  Outcome compact_cells(std::uint64_t deadline_us);
  Outcome restore(const Action& action, Moment moment, const Outcome& so_far);
  Outcome trim(const Action& action, const Outcome& so_far);
  std::uint64_t drop_for_good(std::uint64_t wanted);
  void pack_if_wanted(std::uint64_t budget_us);
  SinksWindow rule() const;
  std::uint64_t trimmable_cells() const;
  std::uint64_t cells_above_floor() const;
  std::uint64_t live_cells() const;
  std::uint64_t bytes_with(std::uint64_t more_tokens) const;
  bool has_window() const { return parts_.size() > 1; }
  bool may_release() const { return elastic_ && options_.release; }
  bool may_place(Moment moment) const;
  bool can_trim_reversibly() const { return spill_ && may_release() && spill_->can_write(); }
  bool is_shift_pending() const;
  bool is_settled() const { return !copy_pending_ && !is_shift_pending(); }
  void bring_all_back(llama_seq_id seq);
  void repair_lost(llama_seq_id ending = -1);
  void close_end(llama_seq_id seq);
  void close_ends(const SeqSet& seqs);
  void lose(std::uint64_t tokens, std::string_view why, llama_seq_id seq);
  void forget_tokens(llama_seq_id seq);
  void set_trim_right(llama_seq_id seq, bool allowed, std::int16_t priority);
  void bring_whole(const SeqSet& seqs);
  std::uint64_t missing_tokens(llama_seq_id seq) const;
  void note_gaps(const SeqSet& seqs);
  void note_loaded(llama_seq_id seq, bool replaced, const StatePlace& place);
  void note_cut(llama_seq_id seq, llama_pos p0);
  void note_copied(llama_seq_id from, llama_seq_id to);
  void rebase_gaps();
  void refill(const SeqSet& seqs);
  void refill(llama_seq_id seq, llama_pos end);
  llama_pos find_first_bad(llama_seq_id seq, llama_pos end) const;
  void close_gap(llama_seq_id seq, llama_pos end);
  bool evaluate_prompt(llama_seq_id seq, llama_pos begin, llama_pos end);
  struct Place {
    llama_pos pos = 0;
    std::uint32_t cell = 0;
    llama_token token = 0;
    bool operator==(const Place&) const = default;
  };
  std::vector<Place> cells_of_sequence(llama_seq_id seq) const;
  void note_written_everywhere();
  void note_reduced_context();

  llama_context* const context_;
  const llama_memory_t memory_;
  const std::vector<std::unique_ptr<KvPart>> parts_;
  const GovernOptions options_;
  const bool elastic_;
  Counters& counters_;
  std::unique_ptr<KvSpill> spill_;      ///< null without a spill store
  bool has_store_ = false;              ///< from then on constant: read without the mutex
  bool copy_pending_ = false;           ///< a stream's cells look free but are still to be copied
  bool shifting_ = false;               ///< the graph that runs rotates keys
  bool pack_wanted_ = false;            ///< a trim left holes
  std::uint32_t batch_tokens_ = 0;      ///< of the decode about to run
  std::uint64_t reduced_since_us_ = 0;  ///< 0 = the context is whole
  SeqSet open_ends_;                    ///< whose last token is in the file and found no room
  TrimRights rights_;
  /// What the host's responses have to do with a sequence.
  struct Response {
    ContextGap gap;
    std::vector<llama_token> prompt;  ///< until its first decode
    /// The host goes on here, behind tokens of which some were missing; 0: none was.
    llama_pos refill_end = 0;
    /// Rows from here on were evaluated while tokens before them were missing.
    llama_pos tainted = kUntainted;
  };
  std::array<Response, LLAMA_MAX_SEQ> responses_{};
  bool was_missing_ = false;  ///< some token of the sequence that is about to be cut
  SavedTaint saved_taint_;
  std::vector<Place> before_write_;  ///< of the sequence that state is loaded into
  llama_seq_id loaded_ = -1;         ///< whose state was loaded since the last decode
  std::vector<std::string> losses_;
};

}  // namespace kvpsi
