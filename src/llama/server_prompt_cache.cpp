// SPDX-License-Identifier: MIT
// See server_prompt_cache.h. The server touches its cache in a few functions only, all of them
// wrapped and on one thread: between them, with the mutex held, it is at rest. Memory of a state
// may be freed and given out again within one call, so whatever was known of the memory of a new
// state is forgotten.
#include "llama/server_prompt_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "linux/pages.h"
#include "server-task.h"

namespace kvpsi {
namespace {

/// Smaller states are not worth a write.
constexpr std::size_t kLeastBytes = 64 * 1024;
/// The longest that a saved prompt waits for others to be written before it is read back: a state
/// of 34 MiB takes 0.2 s.
constexpr std::uint64_t kMakeWayUs = 500'000;

PromptCachePool* the_pool = nullptr;

std::span<std::byte> memory_of(std::vector<std::uint8_t>& data) {
  return std::as_writable_bytes(std::span(data));
}

std::uint64_t resident_bytes_of(std::span<const std::byte> memory) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::array<PageRange, 1> pages{round_inwards(begin, begin + memory.size())};
  return resident_exclusive_bytes(pages).value_or(0);
}

}  // namespace

std::unique_ptr<HostCache> make_prompt_cache_pool(SpillStore* store, std::uint64_t after_us) {
  auto pool = std::make_unique<PromptCachePool>(store, after_us);
  the_pool = pool.get();
  set_state_observer(pool.get());
  return pool;
}

PromptCachePool* prompt_cache_pool() { return the_pool; }

PromptCachePool::PromptCachePool(SpillStore* store, std::uint64_t after_us) {
  // Contexts have digests that are never 0.
  if (store != nullptr) cold_.emplace(*store, 0, after_us);
}

PromptCachePool::~PromptCachePool() {
  the_pool = nullptr;
  set_state_observer(nullptr);
}

PoolView PromptCachePool::view() {
  const ColdBlobUse cold = cold_ ? cold_->use() : ColdBlobUse{};
  const std::uint64_t bytes = std::max(bytes_.load(std::memory_order_relaxed), cold.bytes_out);
  PoolView view;
  view.kind = PoolKind::prompt_cache;
  view.t_us = monotonic_us();
  view.reserved_bytes = bytes;
  view.resident_bytes = bytes - cold.bytes_out;
  view.releasable_bytes = !cold_ ? bytes : cold.is_refused ? 0 : cold.bytes_to_go;
  view.spillable_bytes = cold_ ? view.releasable_bytes : 0;  // else they are dropped
  view.live_bytes = view.resident_bytes - std::min(view.resident_bytes, view.releasable_bytes);
  view.parked_bytes = cold.bytes_out;
  view.granule_bytes = page_bytes();
  return view;
}

Outcome PromptCachePool::answer(const Action& action, Status status, std::uint64_t bytes) {
  Outcome outcome;
  outcome.decision_id = action.decision_id;
  outcome.verb = action.verb;
  outcome.pool = PoolKind::prompt_cache;
  outcome.status = status;
  outcome.t_us = monotonic_us();
  outcome.bytes_released = bytes;
  return outcome;
}

Outcome PromptCachePool::apply(const Action& action) {
  if (action.verb != Verb::release) {
    Outcome refused = answer(action, Status::failed, 0);
    refused.errno_value = ENOTSUP;
    return refused;
  }
  if (!cold_) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return answer(action, Status::more, 0);
    const std::uint64_t bytes = drop_all();
    return answer(action, bytes > 0 ? Status::done : Status::nothing, bytes);
  }
  const ColdBlobUse use = cold_->use();
  if (use.bytes_to_go == 0) return answer(action, Status::nothing, 0);
  if (!asked_) written_when_asked_ = use.written_total;
  asked_ = action;
  cold_->hurry();
  return answer(action, Status::queued, 0);
}

void PromptCachePool::drain(Outcomes& ended) {
  if (!asked_ || cold_->is_hurrying()) return;
  const std::uint64_t bytes = cold_->use().written_total - written_when_asked_;
  if (!ended.push_back(answer(*asked_, bytes > 0 ? Status::done : Status::nothing, bytes))) return;
  asked_.reset();
}

void PromptCachePool::begin_call(server_prompt_cache* cache, bool loads) {
  mutex_.lock();
  loads_ = loads;
  if (cold_) cold_->pause();
  cache_ = cache;
  // It may be another one than last time, at the same place.
  look(nullptr);
}

void PromptCachePool::end_call(server_prompt_cache_state* filling) {
  drop_lost();
  look(filling);
  loads_ = false;
  if (cold_) cold_->resume();
  mutex_.unlock();
}

void PromptCachePool::take_in(std::vector<std::uint8_t>& data, bool is_open) {
  const std::span<std::byte> memory = memory_of(data);
  bytes_.fetch_add(memory.size(), std::memory_order_relaxed);
  if (memory.size() < kLeastBytes) return;
  const auto known = std::ranges::find_if(blobs_, [memory](const Blob& blob) {
    return blob.memory.data() == memory.data() && blob.memory.size() == memory.size();
  });
  if (known != blobs_.end()) return;
  blobs_.push_back({memory, is_open});
  if (cold_ && !is_open) cold_->keep(memory);
}

/// Brings the records in step with the states that there are. The server fills `filling` later.
void PromptCachePool::look(server_prompt_cache_state* filling) {
  const auto is_of = [](const Blob& blob, server_prompt_cache_state& state) {
    return blob.memory.data() == memory_of(state.data.main).data() ||
           blob.memory.data() == memory_of(state.data.drft).data();
  };
  std::erase_if(blobs_, [&](const Blob& blob) {
    const bool stays =
        std::ranges::any_of(cache_->states, [&](auto& state) { return is_of(blob, state); }) &&
        (filling == nullptr || !is_of(blob, *filling));
    if (!stays && cold_) cold_->forget(blob.memory);
    return !stays;
  });
  bytes_.store(0, std::memory_order_relaxed);
  for (server_prompt_cache_state& state : cache_->states) {
    take_in(state.data.main, &state == filling);
    take_in(state.data.drft, &state == filling);
  }
}

void PromptCachePool::has_filled(std::span<const std::byte> memory) {
  const std::lock_guard lock(mutex_);
  for (Blob& blob : blobs_) {
    if (!blob.is_open || blob.memory.data() != memory.data()) continue;
    blob.is_open = false;
    if (cold_) cold_->keep(blob.memory);
  }
}

/// What has just been saved goes out before another is read back beside it. The server is at rest
/// here, as between its calls.
void PromptCachePool::make_way() {
  if (!is_tight_.load(std::memory_order_relaxed) || cold_->use().bytes_to_go == 0) return;
  cold_->hurry();
  cold_->resume();
  cold_->wait_out(kMakeWayUs);
  cold_->pause();
}

bool PromptCachePool::will_read(std::span<const std::byte> memory) {
  if (!loads_ || !cold_) return true;  // some other memory
  make_way();
  const auto back = cold_->bring_back(memory);
  if (back) return true;
  lost_.push_back(memory.data());
  const std::lock_guard lock(losses_mutex_);
  losses_.push_back(
      fmt::format("a saved prompt did not come back from disk, it is computed again: {}",
                  describe(back.error())));
  return false;
}

/// The server would find them again, and fail again.
void PromptCachePool::drop_lost() {
  for (const std::byte* const lost : std::exchange(lost_, {})) {
    cache_->states.remove_if([lost](server_prompt_cache_state& state) {
      return memory_of(state.data.main).data() == lost || memory_of(state.data.drft).data() == lost;
    });
  }
}

/// With the mutex held, and not while the server fills one. Bytes that came back, measured.
std::uint64_t PromptCachePool::drop_all() {
  const bool is_filling = std::ranges::any_of(blobs_, &Blob::is_open);
  if (cache_ == nullptr || is_filling) return 0;
  std::uint64_t bytes = 0;
  for (const Blob& blob : blobs_) bytes += resident_bytes_of(blob.memory);
  cache_->states.clear();
  look(nullptr);
  return bytes;
}

void PromptCachePool::stand_back() {
  const std::lock_guard lock(mutex_);
  if (cold_) cold_->pause();
  if (!cold_) cache_ = nullptr;
}

std::vector<std::string> PromptCachePool::take_losses() {
  const std::lock_guard lock(losses_mutex_);
  return std::exchange(losses_, {});
}

}  // namespace kvpsi
