// SPDX-License-Identifier: MIT
// PromptCachePool: llama-server's cache of prompts (--cache-ram, saved states of conversations that
// gave up their slot), on disk instead of in the heap. A state goes out some time after it was
// saved, at once when memory is short, and comes back when the server loads it. Without a spill
// file the oldest are dropped instead, and computed again when they are asked for. Next hops:
// linux/cold_blobs.h moves the bytes, server_prompt_cache_wraps.cpp tells what the server does.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "govern/ports.h"
#include "linux/cold_blobs.h"
#include "llama/host_cache.h"
#include "llama/state_observer.h"

struct server_prompt_cache;
struct server_prompt_cache_state;

namespace kvpsi {

/// One for the process. The pool's calls on the governor's thread, everything else on the one that
/// the server changes its cache on, unless said otherwise.
class PromptCachePool final : public HostCache, public StateObserver {
 public:
  /// `store` may be null, and must outlive the pool. States go out `after_us` after they were
  /// saved; UINT64_MAX: only when memory is short.
  PromptCachePool(SpillStore* store, std::uint64_t after_us);
  ~PromptCachePool() override;

  PoolKind kind() const override { return PoolKind::prompt_cache; }
  PoolView view() override;
  /// Release alone: `queued` until all is on disk. Without a spill file all states are dropped.
  Outcome apply(const Action& action) override;
  void set_tight(bool is_tight) override { is_tight_.store(is_tight, std::memory_order_relaxed); }
  void drain(Outcomes& ended) override;

  /// The server is about to call into its cache, or has: the state it got to fill, or null.
  void begin_call(server_prompt_cache* cache, bool loads);
  void end_call(server_prompt_cache_state* filling);
  /// The server has filled this memory.
  void has_filled(std::span<const std::byte> memory) override;
  /// The server is about to read this memory. False: it is lost, and must not be read.
  bool will_read(std::span<const std::byte> memory) override;
  /// The server may free its cache: nothing is written until the next call. Any thread.
  void stand_back() override;

  /// What was lost since the last call, a clause each. Any thread.
  std::vector<std::string> take_losses() override;

 private:
  struct Blob {
    std::span<std::byte> memory;
    bool is_open = false;  ///< not filled yet
  };

  void look(server_prompt_cache_state* filling);
  void take_in(std::vector<std::uint8_t>& data, bool is_open);
  void make_way();
  void drop_lost();
  std::uint64_t drop_all();
  static Outcome answer(const Action& action, Status status, std::uint64_t bytes);

  std::mutex mutex_;  ///< the list of states, held while the server calls into its cache
  server_prompt_cache* cache_ = nullptr;
  std::vector<Blob> blobs_;
  std::vector<const std::byte*> lost_;  ///< states that did not come back begin here
  bool loads_ = false;
  std::atomic<std::uint64_t> bytes_{0};  ///< of all states
  std::atomic<bool> is_tight_{false};    ///< as the governor last said
  std::mutex losses_mutex_;
  std::vector<std::string> losses_;

  // The governor's thread.
  std::optional<Action> asked_;  ///< a release that has not ended
  std::uint64_t written_when_asked_ = 0;

  std::optional<ColdBlobs> cold_;  ///< ends first
};

/// Told of the server's cache and of states that it saves and loads, as long as it lives. Made
/// before the server starts.
std::unique_ptr<HostCache> make_prompt_cache_pool(SpillStore* store, std::uint64_t after_us);
/// The one that lives; null: none.
PromptCachePool* prompt_cache_pool();

}  // namespace kvpsi
