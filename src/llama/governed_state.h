// SPDX-License-Identifier: MIT
// One attached context from the inside: the engine's mutex, the pools and what happens at each safe
// point. The wraps call in here. Who may do what, when:
//   release of free KV pages   any safe point, or any thread while no decode runs
//   release of scratch         not inside a decode
//   page-out of idle rows      not inside a decode
//   trim, compact, restore     inference thread, inside the decode call, before the real one; any
//                              thread while no decode runs, where the host allows it
// Next hops: wraps_decode.cpp (callers), gated_pool.h (requests of the governor).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "llama.h"
#include "llama/counters.h"
#include "llama/elastic.h"
#include "llama/heap_pool.h"
#include "llama/kv_pool.h"
#include "llama/scratch_pool.h"

namespace kvpsi {

class GovernedState {
 public:
  /// See GovernedContext::attach. Registers itself with attached.h.
  static Result<std::unique_ptr<GovernedState>> create(llama_model* model, llama_context* context,
                                                       const GovernOptions& options);
  ~GovernedState();
  GovernedState(const GovernedState&) = delete;
  GovernedState& operator=(const GovernedState&) = delete;

  std::mutex& engine() { return gate_.mutex; }

  // Inside a decode or encode call; engine's mutex held.
  void before_decode(const SeqSet& seqs, std::uint32_t tokens);
  void before_graph(bool is_decode);
  void after_decode(std::int32_t result, std::uint64_t tokens);

  /// Doorbells of llama_memory_* and llama_state_*; engine's mutex held. Null without a KV pool.
  KvPool* kv() { return kv_ ? &*kv_ : nullptr; }

  /// Pools answer `nothing` from now on. Rows in the spill file come back first unless the context
  /// is about to be freed. Takes the engine's mutex.
  void detach(bool context_dies);

  std::span<MemoryPool* const> pools() { return pools_; }
  std::span<const std::string> ungoverned() const { return ungoverned_; }
  const llama_context* context() const { return context_; }
  llama_memory_t memory() const { return memory_; }

  // See GovernedContext.
  bool can_trim() const { return kv_ && kv_->can_trim(); }
  SelfCheck self_check();
  WeightBytes weights() const { return weights_; }
  ContextMemory measure();
  std::uint64_t kv_cells_left();
  TokenAccount sequence_account(std::int32_t sequence);
  SequenceBooks settle(std::int32_t sequence);
  std::uint64_t make_room(std::uint32_t cells);
  void pin(std::int32_t sequence, bool pinned);
  std::vector<std::string> take_losses();
  std::vector<std::string> take_losses_at_rest();

 private:
  GovernedState(llama_model* model, llama_context* context, const GovernOptions& options);
  void set_up_kv(const llama_model& model);
  std::unique_ptr<KvPart> set_up_part(const llama_kv_cache& cache, const llama_model& model);
  void set_up_scratch();
  void check_wraps();
  void publish_if_due();

  llama_context* context_;
  const llama_memory_t memory_;
  const GovernOptions options_;
  const bool elastic_;
  EngineGate gate_;
  Counters counters_;
  std::optional<KvPool> kv_;
  std::optional<ScratchPool> scratch_;
  std::optional<HeapPool> heap_;
  std::vector<MemoryPool*> pools_;
  std::vector<std::string> ungoverned_;
  WeightBytes weights_;
  bool cpu_only_ = false;
  std::uint64_t published_us_ = 0;
};

}  // namespace kvpsi
