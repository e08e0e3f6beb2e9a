// SPDX-License-Identifier: MIT
// The two sides of spill_worker.h: the caller's short calls under the mutex, and the thread, which
// lets go of the mutex for whatever may wait for the disk.
#include "govern/spill_worker.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kMostPauseUs = 1'000'000;

std::uint64_t round_up(std::uint64_t bytes) {
  return (bytes + SpillStore::kAlignment - 1) / SpillStore::kAlignment * SpillStore::kAlignment;
}

/// Signals are for the threads that asked for them; a transfer is no place to run a handler.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

Result<std::unique_ptr<SpillWorker>> SpillWorker::start(SpillStore& store,
                                                        const SpillWorkerOptions& options) {
  const std::uint64_t bytes = round_up(options.buffer_bytes);
  if (bytes == 0 || bytes > SpillStore::kMaxBlockBytes) {
    return fail(ErrorCode::invalid_argument, "a spill buffer has 1 byte to 8 MiB");
  }
  void* const memory = ::mmap(nullptr, bytes * kSlots, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::exhausted, "cannot reserve the spill buffers", {}, errno);
  }
  // A child forked in the middle of a direct transfer would make the parent's pages copies.
  ::madvise(memory, bytes * kSlots, MADV_DONTFORK);
  std::unique_ptr<SpillWorker> worker(
      new SpillWorker(store, static_cast<std::byte*>(memory), bytes, options.idle_us));
  try {
    worker->start_thread();
  } catch (const std::system_error& error) {
    return fail(ErrorCode::exhausted, "cannot start the spill thread", {}, error.code().value());
  }
  return worker;
}

SpillWorker::SpillWorker(SpillStore& store, std::byte* memory, std::uint64_t buffer_bytes,
                         std::uint64_t idle_us)
    : store_(store), memory_(memory), buffer_bytes_(buffer_bytes), idle_us_(idle_us) {}

void SpillWorker::start_thread() {
  const BlockedSignals blocked;
  thread_ = std::thread([this] { work(); });
}

SpillWorker::~SpillWorker() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  queued_.notify_one();
  if (thread_.joinable()) thread_.join();
  for (const Slot& slot : slots_) {
    if (slot.state == State::ended && slot.is_write && !slot.error) store_.erase(slot.block);
  }
  ::munmap(memory_, buffer_bytes_ * kSlots);
}

std::optional<unsigned> SpillWorker::take_slot() {
  const std::lock_guard lock(mutex_);
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    if (slots_[slot].state != State::free) continue;
    slots_[slot].state = State::taken;
    is_touched_ = true;
    return slot;
  }
  return std::nullopt;
}

std::span<std::byte> SpillWorker::buffer(unsigned slot) {
  KVPSI_ASSERT(slot < kSlots);
  return {memory_ + slot * buffer_bytes_, buffer_bytes_};
}

void SpillWorker::write(unsigned slot, const SpillIdentity& identity, std::uint64_t bytes) {
  KVPSI_ASSERT(slot < kSlots && bytes > 0 && bytes <= buffer_bytes_);
  {
    const std::lock_guard lock(mutex_);
    slots_[slot].block = {.bytes = bytes, .identity = identity};
    queue(slot, true);
  }
  queued_.notify_one();
}

void SpillWorker::read(unsigned slot, const SpillBlock& block) {
  KVPSI_ASSERT(slot < kSlots && block.bytes <= buffer_bytes_);
  {
    const std::lock_guard lock(mutex_);
    slots_[slot].block = block;
    queue(slot, false);
  }
  queued_.notify_one();
}

void SpillWorker::queue(unsigned slot, bool is_write) {
  KVPSI_ASSERT(slots_[slot].state == State::taken);
  slots_[slot].is_write = is_write;
  slots_[slot].error.reset();
  slots_[slot].order = next_order_++;
  slots_[slot].state = State::queued;
}

std::optional<SpillWorker::Ended> SpillWorker::next_ended(std::uint64_t wait_us) {
  std::unique_lock lock(mutex_);
  const auto is_over = [this] {
    return oldest(State::ended) || (!oldest(State::queued) && !oldest(State::running));
  };
  // Longer waits would overflow the clock's nanoseconds and be none at all.
  constexpr std::uint64_t kMostWaitUs = std::uint64_t{1} << 50;
  const std::chrono::microseconds wait(std::min(wait_us, kMostWaitUs));
  if (wait_us > 0) ended_.wait_for(lock, wait, is_over);
  const auto found = oldest(State::ended);
  if (!found) return std::nullopt;
  Slot& slot = slots_[*found];
  slot.state = State::taken;
  if (slot.error) return Ended{*found, slot.is_write, std::unexpected(*std::move(slot.error))};
  return Ended{*found, slot.is_write, slot.block};
}

void SpillWorker::give_back(unsigned slot) {
  KVPSI_ASSERT(slot < kSlots);
  {
    const std::lock_guard lock(mutex_);
    KVPSI_ASSERT(slots_[slot].state == State::taken);
    slots_[slot].state = State::free;
    if (!all_free()) return;
  }
  queued_.notify_one();
}

void SpillWorker::erase(const SpillBlock& block) {
  store_.erase(block);
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(has_erased_, true)) return;
  }
  queued_.notify_one();
}

bool SpillWorker::is_idle() const {
  const std::lock_guard lock(mutex_);
  return all_free();
}

bool SpillWorker::all_free() const {
  return std::ranges::all_of(slots_, [](const Slot& slot) { return slot.state == State::free; });
}

std::optional<unsigned> SpillWorker::oldest(State state) const {
  std::optional<unsigned> found;
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    if (slots_[slot].state != state) continue;
    if (!found || slots_[slot].order < slots_[*found].order) found = slot;
  }
  return found;
}

bool SpillWorker::has_queued_read() const {
  return std::ranges::any_of(
      slots_, [](const Slot& slot) { return slot.state == State::queued && !slot.is_write; });
}

std::optional<unsigned> SpillWorker::next_to_run() const {
  std::optional<unsigned> found = oldest(State::queued);
  if (!found || !slots_[*found].is_write || !has_queued_read()) return found;
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    if (slots_[slot].state == State::queued && !slots_[slot].is_write) return slot;
  }
  return found;
}

void SpillWorker::work() {
  std::unique_lock lock(mutex_);
  while (!is_closing_) {
    const auto slot = next_to_run();
    if (!slot) {
      rest(lock);
    } else if (!slots_[*slot].is_write || keep_pace(lock)) {
      run(lock, *slot);
    }
  }
}

/// Waits for work; after a while without any, gives back what is not needed.
void SpillWorker::rest(std::unique_lock<std::mutex>& lock) {
  tell_ended();
  advised_us_.reset();
  const auto has_work = [this] { return is_closing_ || oldest(State::queued).has_value(); };
  if (!all_free() || (!is_touched_ && !has_erased_)) {
    queued_.wait(lock);
    return;
  }
  if (queued_.wait_for(lock, std::chrono::microseconds(idle_us_), has_work)) return;
  if (!all_free()) return;
  // Under the mutex, so that nobody takes a buffer and fills it meanwhile.
  if (std::exchange(is_touched_, false)) {
    ::madvise(memory_, buffer_bytes_ * kSlots, MADV_DONTNEED);
  }
  return_space(lock);
}

void SpillWorker::return_space(std::unique_lock<std::mutex>& lock) {
  has_erased_ = false;
  bool has_more = true;
  while (has_more && !is_closing_ && !oldest(State::queued)) {
    lock.unlock();
    has_more = store_.return_space();
    lock.lock();
  }
  if (has_more) has_erased_ = true;
}

/// Waits as the store advises. True: write now; false: look again, something else came up.
bool SpillWorker::keep_pace(std::unique_lock<std::mutex>& lock) {
  if (advised_us_ == 0) return true;
  tell_ended();
  const std::uint64_t began_us = monotonic_us();
  while (true) {
    lock.unlock();
    advised_us_ = store_.pause_us();
    lock.lock();
    if (is_closing_ || has_queued_read()) return false;
    const std::uint64_t waited_us = monotonic_us() - began_us;
    if (advised_us_ == 0 || waited_us >= kMostPauseUs) return true;
    const std::uint64_t pause_us = std::min(*advised_us_, kMostPauseUs - waited_us);
    queued_.wait_for(lock, std::chrono::microseconds(pause_us),
                     [this] { return is_closing_ || has_queued_read(); });
  }
}

/// Between two transfers the mutex is taken once only, and the caller is woken when the next one
/// is about to run: on a fast disk each detour here costs a tenth of the speed.
void SpillWorker::run(std::unique_lock<std::mutex>& lock, unsigned index) {
  Slot& slot = slots_[index];
  slot.state = State::running;
  lock.unlock();
  tell_ended();
  auto result = transfer(slot, buffer(index));
  advised_us_ = store_.pause_us();
  lock.lock();
  if (result) {
    slot.block = *result;
  } else {
    slot.error = std::move(result).error();
  }
  slot.order = next_order_++;
  slot.state = State::ended;
  has_untold_ = true;
}

void SpillWorker::tell_ended() {
  if (std::exchange(has_untold_, false)) ended_.notify_all();
}

/// The slot is the thread's own while it runs.
Result<SpillBlock> SpillWorker::transfer(const Slot& slot, std::span<std::byte> whole) {
  if (slot.is_write) return store_.write(slot.block.identity, whole, slot.block.bytes);
  if (const auto done = store_.read(slot.block, whole); !done) {
    return std::unexpected(done.error());
  }
  return slot.block;
}

}  // namespace kvpsi
