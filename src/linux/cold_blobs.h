// SPDX-License-Identifier: MIT
// ColdBlobs: filled blocks of heap memory that nobody may need again (a prompt cache), written to
// disk by a thread of their own after a while, piece by piece, and brought back whole when they
// are read. Must not decide which blobs there are. Next hops: cold_range.h moves the bytes,
// llama/server_prompt_cache.h owns the blobs.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "linux/cold_range.h"

namespace kvpsi {

struct ColdBlobUse {
  std::uint64_t bytes = 0;          ///< of all blobs kept
  std::uint64_t bytes_out = 0;      ///< of these, on disk
  std::uint64_t bytes_to_go = 0;    ///< of these, still to be written
  std::uint64_t written_total = 0;  ///< since the start
  std::uint64_t read_total = 0;
  std::uint64_t lost_total = 0;  ///< bytes that did not come back
  bool is_refused = false;       ///< the disk took none lately: nothing more goes out for now
};

/// Any thread. keep, bring_back, forget and pause wait for the piece that is being written (3 MiB),
/// bring_back for its reads too; hurry and use wait for nothing, wait_out for all pieces.
class ColdBlobs {
 public:
  /// A blob goes out `after_us` from keep(); hurry() does not wait for that. UINT64_MAX: only
  /// hurry() does it. The store must outlive this object.
  ColdBlobs(SpillStore& store, std::uint64_t context, std::uint64_t after_us);
  /// What is out then is lost: to be called when nobody reads the blobs any more.
  ~ColdBlobs();
  ColdBlobs(const ColdBlobs&) = delete;
  ColdBlobs& operator=(const ColdBlobs&) = delete;

  /// The blob is filled. Nobody touches it until bring_back or forget; private anonymous memory.
  void keep(std::span<std::byte> blob);

  /// Brings back whatever of the blobs lies in this memory; they stay in from now on. Errors: io or
  /// malformed, when some of it is lost: it reads as zeros and must not be used.
  Result<void> bring_back(std::span<const std::byte> memory);

  /// The memory was freed: forgets the blobs in it.
  void forget(std::span<const std::byte> memory);

  /// From the return of pause() to resume() nothing goes out: blobs may be freed. Not counted.
  void pause();
  void resume();

  /// Memory is short: writes all there is as soon as the disk takes it.
  void hurry();
  /// Whether a hurry has not ended: something is still to be written, and the disk takes it.
  bool is_hurrying() const;
  /// Returns when a hurry has ended, after `most_us` at the latest; at once where there is none.
  void wait_out(std::uint64_t most_us);

  ColdBlobUse use() const;

 private:
  static constexpr std::uint64_t kPieceBytes = 3 << 20;

  struct Blob {
    std::span<std::byte> memory;
    std::span<std::byte> rest;  ///< whole pages not written yet
    std::vector<std::span<std::byte>> out;
    std::uint64_t due_us = 0;
    std::optional<Error> lost;  ///< a piece of it did not come back
  };
  void work(const std::stop_token& stop);
  std::uint64_t turn();
  Blob* first_unwritten();
  std::uint64_t find_wait_us(const Blob* blob, std::uint64_t now_us) const;
  void page_out_piece(Blob& blob);
  void publish();
  void wake(bool hurries);

  SpillStore& store_;
  const std::uint64_t after_us_;
  std::mutex mutex_;  ///< guards what follows; held while the disk moves a piece
  ColdRanges ranges_;
  std::list<Blob> blobs_;         ///< the oldest first
  std::uint64_t refused_us_ = 0;  ///< when the disk last refused a piece; 0 = it takes them
  bool is_paused_ = false;
  ColdBlobUse totals_;

  mutable std::mutex published_mutex_;  ///< guards what follows; never held for long
  std::condition_variable_any changed_;
  bool is_woken_ = false;  ///< there is something new to look at
  bool hurries_ = false;
  ColdBlobUse published_;
  std::jthread thread_;
};

}  // namespace kvpsi
