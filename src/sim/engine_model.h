// SPDX-License-Identifier: MIT
// An LLM server without an LLM: conversations arrive, are prefilled in batches, decoded token by
// token, and fill KV cells. Comes to a safe point after every token or batch, as the real engine
// does. Must not know of memory that is short: it is told how fast it may run. Next hop: sim_pools.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "sim/scenario.h"

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
  double walk_s = 0;                  ///< unstalled time of the decode that runs: one walk

  std::uint64_t anon_bytes() const { return hot_anon_bytes + cold_anon_bytes; }
};

class EngineModel {
 public:
  EngineModel(const EngineSpec& spec, const std::vector<SequenceSpec>& workload);

  /// Works for dt_s seconds, of which `speed` (0..1) is left by stalls.
  void advance(double t_s, double dt_s, double speed, SafePointListener& listener);

  /// Drops up to `tokens` from the middle of conversations, the longest first, keeping keep and
  /// tail of each. Returns how many. Between decodes only.
  std::uint64_t trim(std::uint64_t tokens);
  std::uint64_t trimmable_tokens() const;

  /// Gives back free KV pages, up to `most` bytes; returns the bytes.
  std::uint64_t release_kv(std::uint64_t most);
  std::uint64_t release_scratch();

  void set_budget(std::uint64_t bytes) { budget_bytes_ = bytes; }
  std::uint64_t budget_bytes() const { return budget_bytes_; }

  bool is_busy() const { return is_busy_; }
  std::uint64_t live_tokens() const { return live_tokens_; }
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
  std::uint64_t turns_ended() const { return turns_ended_; }

 private:
  enum class Phase : std::uint8_t { absent, queued, prefill, decode, idle };
  struct Sequence {
    SequenceSpec spec;
    Phase phase = Phase::absent;
    double due_s = 0;  ///< absent and idle: when the next turn comes
    std::uint64_t turns_begun = 0;
    std::uint64_t live = 0;  ///< tokens in cells
    std::uint64_t lost = 0;  ///< trimmed from this conversation
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

  const EngineSpec spec_;
  std::vector<Sequence> sequences_;
  std::uint64_t budget_bytes_ = std::numeric_limits<std::uint64_t>::max();
  bool is_busy_ = false;
  double walk_s_ = 0;               ///< length of the decode that runs
  double left_s_ = 0;               ///< of the decode that runs
  std::size_t prefilling_ = 0;      ///< which sequence it prefills; sequences_.size(): none
  std::uint64_t batch_tokens_ = 0;  ///< prefilled by it
  std::uint64_t live_tokens_ = 0;
  std::uint64_t kv_resident_bytes_ = 0;
  std::uint64_t scratch_resident_bytes_ = 0;
  std::uint64_t tokens_decoded_ = 0;
  std::uint64_t tokens_prefilled_ = 0;
  std::uint64_t tokens_lost_ = 0;
  std::uint64_t turns_ended_ = 0;
};

}  // namespace kvpsi
