// SPDX-License-Identifier: MIT
// MemorySpill: a SpillStore in memory whose every call can be made slow, refused or damaged, for
// tests of what stands in front of a store. Must not stand in for spill_file's own tests.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "govern/ports.h"

namespace kvpsi::test {

/// Keeps payloads by offset. Any thread. The knobs may be turned at any time.
class MemorySpill final : public SpillStore {
 public:
  struct Knobs {
    std::uint64_t slow_us = 0;   ///< each write and read takes this long
    std::uint64_t pause_us = 0;  ///< what pause_us() says
    std::uint64_t budget_bytes = std::uint64_t{1} << 30;
    bool fails_write = false;  ///< io
    bool fails_read = false;   ///< io
    bool damages = false;      ///< reads say malformed
  };

  void turn(const Knobs& knobs) {
    const std::lock_guard lock(mutex_);
    knobs_ = knobs;
  }

  /// Writes and reads wait from now on, until let_go(): a disk that is as slow as it gets.
  void hold() {
    const std::lock_guard lock(mutex_);
    is_held_ = true;
  }
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      is_held_ = false;
    }
    let_go_.notify_all();
  }

  Result<SpillBlock> write(const SpillIdentity& identity, std::span<std::byte> buffer,
                           std::uint64_t bytes) override {
    delay();
    const std::lock_guard lock(mutex_);
    if (knobs_.fails_write || use_.held_bytes + bytes > knobs_.budget_bytes) {
      ++use_.write_errors_total;
      return knobs_.fails_write ? fail(ErrorCode::io, "told to fail")
                                : fail(ErrorCode::exhausted, "told to be full");
    }
    const SpillBlock block{
        .offset = next_, .bytes = bytes, .checksum = next_ + 1, .identity = identity};
    next_ += kMaxBlockBytes;
    kept_[block.offset].assign(buffer.begin(), buffer.begin() + static_cast<long>(bytes));
    identities_[block.offset] = identity;
    use_.held_bytes += bytes;
    use_.written_bytes_total += bytes;
    return block;
  }

  Result<void> read(const SpillBlock& block, std::span<std::byte> buffer) override {
    delay();
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(block.offset);
    const bool is_whole = found != kept_.end() && found->second.size() == block.bytes &&
                          identities_[block.offset] == block.identity;
    if (knobs_.fails_read || knobs_.damages || !is_whole) {
      ++use_.lost_blocks_total;
      return knobs_.fails_read ? fail(ErrorCode::io, "told to fail")
                               : fail(ErrorCode::malformed, "does not verify");
    }
    std::memcpy(buffer.data(), found->second.data(), block.bytes);
    use_.read_bytes_total += block.bytes;
    return {};
  }

  void erase(const SpillBlock& block) override {
    const std::lock_guard lock(mutex_);
    if (kept_.erase(block.offset) == 0) ++bad_erases_;
    use_.held_bytes -= block.bytes;
    ++pieces_;
  }

  bool return_space() override {
    const std::lock_guard lock(mutex_);
    if (pieces_ > 0) --pieces_;
    return pieces_ > 0;
  }

  std::uint64_t pause_us() override {
    const std::lock_guard lock(mutex_);
    return knobs_.pause_us;
  }

  std::uint64_t room_bytes() override {
    const std::lock_guard lock(mutex_);
    return knobs_.budget_bytes - use_.held_bytes;
  }

  SpillUse use() const override {
    const std::lock_guard lock(mutex_);
    SpillUse use = use_;
    use.budget_bytes = knobs_.budget_bytes;
    return use;
  }

  /// Writes and reads that have begun.
  std::uint64_t calls_begun() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::uint64_t pieces_to_return() const {
    const std::lock_guard lock(mutex_);
    return pieces_;
  }
  std::uint64_t bad_erases() const {
    const std::lock_guard lock(mutex_);
    return bad_erases_;
  }

 private:
  void delay() {
    std::uint64_t slow_us = 0;
    {
      std::unique_lock lock(mutex_);
      slow_us = knobs_.slow_us;
      ++calls_;
      let_go_.wait(lock, [this] { return !is_held_; });
    }
    if (slow_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(slow_us));
  }

  mutable std::mutex mutex_;
  std::condition_variable let_go_;
  bool is_held_ = false;
  Knobs knobs_;
  SpillUse use_;
  std::uint64_t next_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t pieces_ = 0;
  std::uint64_t bad_erases_ = 0;
  std::map<std::uint64_t, std::vector<std::byte>> kept_;
  std::map<std::uint64_t, SpillIdentity> identities_;
};

}  // namespace kvpsi::test
