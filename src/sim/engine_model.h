// SPDX-License-Identifier: MIT
// An LLM server without an LLM: conversations arrive, are prefilled in batches, decoded token by
// token, and fill KV cells. Comes to a safe point after every token or batch, as the real engine
// does. Must not know of memory that is short: it is told how fast it may run. Next hops:
// sim_pools, engine_paging.cpp (what goes to disk and comes back).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "sim/scenario.h"
#include "sim/sim_disk.h"

namespace kvpsi {

/// Told whenever the engine stands between two decodes with work before it or just done. An engine
/// without any work comes to none: what waits for it waits on, as with the real one.
class SafePointListener {
 public:
  virtual ~SafePointListener() = default;
  virtual void at_safe_point() = 0;
};

/// What the engine holds, as far as memory is concerned.
struct EngineMemory {
  std::uint64_t hot_anon_bytes = 0;   ///< touched by every token
  std::uint64_t cold_anon_bytes = 0;  ///< idle conversations and free KV pages
  bool is_busy = false;               ///< weights are walked
  bool is_waiting = false;            ///< not now: for the disk
  double walk_s = 0;                  ///< unstalled time of the decode that runs: one walk

  std::uint64_t anon_bytes() const { return hot_anon_bytes + cold_anon_bytes; }
};

class EngineModel {
 public:
  EngineModel(const EngineSpec& spec, const std::vector<SequenceSpec>& workload);

  /// Works for dt_s seconds, of which `speed` (0..1) is left by stalls.
  void advance(double t_s, double dt_s, double speed, SafePointListener& listener);

  /// Takes up to `tokens` from the middle of conversations, the longest first, keeping keep and
  /// tail of each: to disk, or for good. Returns how many. Between decodes only.
  std::uint64_t trim(std::uint64_t tokens, bool to_disk);
  std::uint64_t trimmable_tokens() const;

  /// Pages out up to `tokens` of idle conversations, the least recently used first. They keep their
  /// cells, and are read back before their next turn. Returns how many.
  std::uint64_t spill(std::uint64_t tokens);
  std::uint64_t spillable_tokens() const;
  /// Brings back up to `tokens`: spans into free cells first, then idle rows, the most recently
  /// used first. Returns how many, and of these the tokens of spans.
  struct Restored {
    std::uint64_t tokens = 0;
    std::uint64_t of_spans = 0;
  };
  Restored restore(std::uint64_t tokens);
  std::uint64_t restorable_tokens() const;
  /// The same, but the disk does not give them back: they are lost.
  std::uint64_t lose(std::uint64_t tokens);

  /// What conversations that wake up wait for; without one nothing may be spilled. Outlives us.
  void set_disk(const SimDisk* disk) { disk_ = disk; }

  /// Gives back free KV pages, up to `most` bytes; returns the bytes.
  std::uint64_t release_kv(std::uint64_t most);
  std::uint64_t release_scratch();

  /// Somebody holds up the decode that runs or comes next; an engine at rest waits for one at a
  /// time.
  void delay(double seconds) {
    delay_s_ = is_busy_ ? delay_s_ + seconds : std::max(delay_s_, seconds);
  }

  void set_budget(std::uint64_t bytes) { budget_bytes_ = bytes; }
  std::uint64_t budget_bytes() const { return budget_bytes_; }

  bool is_busy() const { return is_busy_; }
  std::uint64_t live_tokens() const { return live_tokens_; }
  std::uint64_t paged_bytes() const { return paged_tokens_ * spec_.bytes_per_token; }
  std::uint64_t trimmed_bytes() const { return trimmed_tokens_ * spec_.bytes_per_token; }
  std::uint64_t on_disk_bytes() const { return paged_bytes() + trimmed_bytes(); }
  /// Cells in use: those whose rows are paged out too.
  std::uint64_t cells_live() const { return live_tokens_ + paged_tokens_; }
  std::uint64_t live_bytes() const { return live_tokens_ * spec_.bytes_per_token; }
  std::uint64_t kv_resident_bytes() const { return kv_resident_bytes_; }
  std::uint64_t scratch_resident_bytes() const { return scratch_resident_bytes_; }
  /// What it would hold had nothing been trimmed or held back by the budget.
  std::uint64_t full_bytes() const;
  /// The least room that lets something go on which the budget holds back; 0 = nothing waits.
  std::uint64_t waiting_bytes() const;
  /// All that the cache may ever hold: the context, capped by kv_max.
  std::uint64_t context_bytes() const;
  EngineMemory memory() const;
  const EngineSpec& spec() const { return spec_; }

  std::uint64_t tokens_decoded() const { return tokens_decoded_; }
  std::uint64_t tokens_prefilled() const { return tokens_prefilled_; }
  std::uint64_t tokens_lost() const { return tokens_lost_; }
  std::uint64_t tokens_trimmed() const { return tokens_trimmed_; }
  /// Read back because a conversation woke up.
  std::uint64_t tokens_faulted() const { return tokens_faulted_; }
  std::uint64_t turns_ended() const { return turns_ended_; }

 private:
  enum class Phase : std::uint8_t { absent, queued, prefill, decode, idle };
  struct Sequence {
    SequenceSpec spec;
    Phase phase = Phase::absent;
    double due_s = 0;  ///< absent and idle: when the next turn comes
    std::uint64_t turns_begun = 0;
    double used_s = 0;          ///< idle: since when
    std::uint64_t live = 0;     ///< tokens in memory
    std::uint64_t paged = 0;    ///< in cells, their rows on disk
    std::uint64_t trimmed = 0;  ///< on disk, without a cell
    std::uint64_t lost = 0;     ///< of this conversation, for good
    std::uint64_t to_prefill = 0;
    std::uint64_t to_decode = 0;
    std::uint64_t held_tokens = 0;  ///< waits for room for so many, only because of the budget
  };

  void receive(double t_s);
  void admit(Sequence& sequence);
  bool begin_decode(double t_s);
  std::uint64_t promised_tokens() const;
  std::uint64_t cells() const;
  void end_decode(double t_s);
  void end_turn(Sequence& sequence, double t_s);
  void drop(Sequence& sequence);
  void fill(Sequence& sequence, std::uint64_t tokens);
  std::uint64_t droppable(const Sequence& sequence) const;
  bool is_idle(const Sequence& sequence) const;
  std::uint64_t free_cells() const;
  void fault_in(Sequence& sequence);
  /// Takes up to `tokens` off disk, in the order in which they come back; calls back for each part.
  template <class Take>
  std::uint64_t take_from_disk(std::uint64_t tokens, Take take);

  const EngineSpec spec_;
  std::vector<Sequence> sequences_;
  std::uint64_t budget_bytes_ = std::numeric_limits<std::uint64_t>::max();
  bool is_busy_ = false;
  double walk_s_ = 0;               ///< length of the decode that runs
  double left_s_ = 0;               ///< of the decode that runs
  std::size_t prefilling_ = 0;      ///< which sequence it prefills; sequences_.size(): none
  std::uint64_t batch_tokens_ = 0;  ///< prefilled by it
  const SimDisk* disk_ = nullptr;
  double now_s_ = 0;
  double delay_s_ = 0;  ///< the decode that runs still waits for the disk
  std::uint64_t live_tokens_ = 0;
  std::uint64_t paged_tokens_ = 0;
  std::uint64_t trimmed_tokens_ = 0;
  std::uint64_t kv_resident_bytes_ = 0;
  std::uint64_t scratch_resident_bytes_ = 0;
  std::uint64_t tokens_decoded_ = 0;
  std::uint64_t tokens_prefilled_ = 0;
  std::uint64_t tokens_lost_ = 0;
  std::uint64_t tokens_trimmed_ = 0;
  std::uint64_t tokens_faulted_ = 0;
  std::uint64_t turns_ended_ = 0;
};

}  // namespace kvpsi
