// SPDX-License-Identifier: MIT
// SpillWorker: one thread and two staging buffers in front of a SpillStore, so that the engine
// never waits for a disk: it fills a buffer, starts a write and goes on; later it asks what ended.
// Must not know what the bytes are. Allocates nothing after start, failures' messages apart.
// Next hops: ports.h says what the store promises, linux/spill_file.h is the real one.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "govern/ports.h"

namespace kvpsi {

/// How a worker works.
struct SpillWorkerOptions {
  std::uint64_t buffer_bytes = std::uint64_t{3} << 20;  ///< rounded up to SpillStore::kAlignment
  std::uint64_t idle_us = 200'000;  ///< after which buffers and erased space go back
};

/// A slot is one buffer with what is done to it: take_slot, fill buffer(slot), write (or read right
/// away), next_ended, use the buffer, give_back. All calls from one thread at a time; none waits
/// for the disk, but next_ended as long as it is told to.
class SpillWorker {
 public:
  static constexpr unsigned kSlots = 2;

  /// Reserves the buffers, untouched, and starts the thread. The store must outlive the worker.
  /// Errors: invalid_argument (buffer of 0 bytes or over SpillStore::kMaxBlockBytes), exhausted.
  static Result<std::unique_ptr<SpillWorker>> start(SpillStore& store,
                                                    const SpillWorkerOptions& options = {});

  /// Waits for the transfer that runs, if one does; those not begun are dropped. Blocks written
  /// that nobody has fetched with next_ended are erased.
  ~SpillWorker();
  SpillWorker(const SpillWorker&) = delete;
  SpillWorker& operator=(const SpillWorker&) = delete;

  /// A free slot, now the caller's until give_back(); empty while all are taken.
  std::optional<unsigned> take_slot();

  /// The slot's buffer, for the caller between take_slot and write or read, and between
  /// next_ended and give_back. Starts on SpillStore::kAlignment; its contents are undefined.
  std::span<std::byte> buffer(unsigned slot);

  /// Starts writing buffer(slot)[0, bytes); 0 < bytes <= buffer size. What lies behind is
  /// overwritten. Waits in the thread as long as the store advises, 1 s at most.
  void write(unsigned slot, const SpillIdentity& identity, std::uint64_t bytes);

  /// Starts reading the block, which must fit the buffer. Goes before writes that have not begun.
  void read(unsigned slot, const SpillBlock& block);

  /// A transfer that has ended.
  struct Ended {
    unsigned slot = 0;
    bool was_write = false;
    Result<SpillBlock> result;  ///< the block as written (from now on the caller's), or as read
  };

  /// The one that ended first; waits for one at most `wait_us` (0: not at all), and not when
  /// nothing runs. The slot stays taken.
  std::optional<Ended> next_ended(std::uint64_t wait_us);

  /// The buffer is free again. When all are free for a while their pages go back to the kernel.
  void give_back(unsigned slot);

  /// Erases the block in the store and lets the thread return the space to the disk when idle.
  void erase(const SpillBlock& block);

  /// True while no slot is taken.
  bool is_idle() const;

  std::uint64_t buffer_bytes() const { return buffer_bytes_; }

 private:
  enum class State : std::uint8_t { free, taken, queued, running, ended };
  struct Slot {
    State state = State::free;
    bool is_write = false;
    std::uint64_t order = 0;  ///< of queueing, then of ending
    SpillBlock block;         ///< to read, or as written; a write keeps its identity in it
    std::optional<Error> error;
  };

  SpillWorker(SpillStore& store, std::byte* memory, std::uint64_t buffer_bytes,
              std::uint64_t idle_us);
  void start_thread();
  void work();
  void rest(std::unique_lock<std::mutex>& lock);
  void run(std::unique_lock<std::mutex>& lock, unsigned slot);
  bool keep_pace(std::unique_lock<std::mutex>& lock);
  void tell_ended();
  void return_space(std::unique_lock<std::mutex>& lock);
  void queue(unsigned slot, bool is_write);
  std::optional<unsigned> oldest(State state) const;
  std::optional<unsigned> next_to_run() const;
  bool has_queued_read() const;
  bool all_free() const;
  Result<SpillBlock> transfer(const Slot& slot, std::span<std::byte> buffer);

  SpillStore& store_;
  std::byte* const memory_;
  const std::uint64_t buffer_bytes_;
  const std::uint64_t idle_us_;

  mutable std::mutex mutex_;
  std::condition_variable queued_;
  std::condition_variable ended_;
  std::array<Slot, kSlots> slots_;
  std::uint64_t next_order_ = 0;
  bool is_touched_ = false;  ///< the buffers may have pages
  bool has_erased_ = false;  ///< the store may have space to return
  bool is_closing_ = false;

  // The thread's own.
  bool has_untold_ = false;  ///< a transfer has ended since the caller was last woken
  std::optional<std::uint64_t> advised_us_;  ///< by the store, just after the last transfer

  std::thread thread_;
};

}  // namespace kvpsi
