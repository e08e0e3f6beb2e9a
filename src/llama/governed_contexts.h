// SPDX-License-Identifier: MIT
// GovernedContexts: every context that the process makes, attached from its birth to its death, for
// hosts whose code is not ours (llama-server). Contexts without memory behind them (a probe that
// only computes sizes) are left alone. Next hops: elastic.h (one context), govern/pool_group.h.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "govern/pool_group.h"
#include "llama/context_observer.h"
#include "llama/counters.h"
#include "llama/elastic.h"
#include "llama/heap_pool.h"

namespace kvpsi {

/// How a new context can be governed.
struct ContextReport {
  std::vector<std::string> ungoverned;  ///< what cannot, and why, a clause each
  SelfCheck self_check;
  WeightBytes weights;
};

/// One for the process. Everything but pools() and take_losses() on the thread that makes contexts.
class GovernedContexts final : private ContextObserver {
 public:
  /// Told of each new context; false refuses it: the host's attempt to make it fails.
  using OnContext = std::function<bool(const ContextReport&)>;
  /// Told that a context is about to be made or freed: what the host keeps beside it may go too.
  using OnChange = std::function<void()>;

  /// Attaches from now on. set_elastic() comes before.
  GovernedContexts(const GovernOptions& options, OnContext on_context, OnChange on_change = {});
  /// The governor must have stopped using the pools.
  ~GovernedContexts() override;
  GovernedContexts(const GovernedContexts&) = delete;
  GovernedContexts& operator=(const GovernedContexts&) = delete;

  /// KV, scratch, heap: of all contexts together, and of none while there is none.
  std::span<MemoryPool* const> pools() { return pools_; }

  /// What was lost for good since the last call, a clause each, of contexts at rest; never waits
  /// for one that decodes. Any thread.
  std::vector<std::string> take_losses();

 private:
  struct Member {
    const llama_context* context = nullptr;
    std::unique_ptr<GovernedContext> governed;
  };

  bool on_created(llama_model* model, llama_context* context) override;
  void on_freeing(const llama_context* context) override;
  ContextReport attach(llama_model* model, llama_context* context);
  PoolGroup* group_of(PoolKind kind);

  const GovernOptions options_;
  const OnContext on_context_;
  const OnChange on_change_;
  PoolGroup kv_{PoolKind::kv};
  PoolGroup scratch_{PoolKind::scratch};
  Counters heap_counters_;
  HeapPool heap_;  ///< of the process, whichever contexts there are
  const std::array<MemoryPool*, 3> pools_;
  std::mutex mutex_;  ///< guards what follows
  std::vector<Member> members_;
  std::vector<std::string> losses_;  ///< of contexts that are gone
};

}  // namespace kvpsi
