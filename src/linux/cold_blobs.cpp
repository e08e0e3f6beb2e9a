// SPDX-License-Identifier: MIT
// See cold_blobs.h. The mutex is held for one piece at a time, so that whoever reads a blob waits
// for milliseconds at most.
#include "linux/cold_blobs.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/clock.h"
#include "linux/page_range.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
/// A disk that refused a piece is left alone for this long.
constexpr std::uint64_t kRefusedForUs = 10'000'000;
/// Between two pieces, so that a waiting caller gets the mutex.
constexpr std::uint64_t kBreatherUs = 200;
constexpr std::uint64_t kLongestWaitUs = 60'000'000;

std::span<std::byte> whole_pages(std::span<std::byte> memory) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  const PageRange pages = round_inwards(begin, begin + memory.size());
  return memory.subspan(pages.begin - begin, pages.end - pages.begin);
}

bool overlap(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.data() < b.data() + b.size() && b.data() < a.data() + a.size();
}

}  // namespace

ColdBlobs::ColdBlobs(SpillStore& store, std::uint64_t context, std::uint64_t after_us)
    : store_(store),
      after_us_(after_us),
      ranges_(store, context, kPieceBytes),
      thread_([this](const std::stop_token& stop) { work(stop); }) {}

ColdBlobs::~ColdBlobs() {
  thread_.request_stop();
  thread_.join();
}

void ColdBlobs::keep(std::span<std::byte> blob) {
  const std::uint64_t now_us = monotonic_us();
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t due_us = after_us_ > kNever - now_us ? kNever : now_us + after_us_;
    blobs_.push_back(
        {.memory = blob, .rest = whole_pages(blob), .out = {}, .due_us = due_us, .lost = {}});
    publish();
  }
  wake(false);
}

Result<void> ColdBlobs::bring_back(std::span<const std::byte> memory) {
  const std::lock_guard lock(mutex_);
  Result<void> result;
  for (Blob& blob : blobs_) {
    if (!overlap(blob.memory, memory)) continue;
    for (const std::span<std::byte> piece : blob.out) {
      const ColdResult back = ranges_.bring_back(piece);
      totals_.read_total += back.bytes_moved;
      totals_.lost_total += back.bytes_lost;
      if (!back.errors.empty()) blob.lost = back.errors.front();
    }
    blob.out.clear();
    blob.rest = {};
    if (blob.lost) result = std::unexpected(*blob.lost);
  }
  publish();
  return result;
}

void ColdBlobs::forget(std::span<const std::byte> memory) {
  const std::lock_guard lock(mutex_);
  ranges_.forget(memory);
  std::erase_if(blobs_, [memory](const Blob& blob) { return overlap(blob.memory, memory); });
  publish();
}

void ColdBlobs::pause() {
  const std::lock_guard lock(mutex_);
  is_paused_ = true;
}

void ColdBlobs::resume() {
  {
    const std::lock_guard lock(mutex_);
    is_paused_ = false;
  }
  wake(false);
}

void ColdBlobs::hurry() { wake(true); }

void ColdBlobs::wake(bool hurries) {
  {
    const std::lock_guard lock(published_mutex_);
    is_woken_ = true;
    hurries_ = hurries_ || hurries;
  }
  changed_.notify_all();
}

bool ColdBlobs::is_hurrying() const {
  const std::lock_guard lock(published_mutex_);
  return hurries_;
}

void ColdBlobs::wait_out(std::uint64_t most_us) {
  std::unique_lock lock(published_mutex_);
  changed_.wait_for(lock, std::chrono::microseconds(most_us), [this] { return !hurries_; });
}

ColdBlobUse ColdBlobs::use() const {
  const std::lock_guard lock(published_mutex_);
  return published_;
}

void ColdBlobs::publish() {
  ColdBlobUse use = totals_;
  for (const Blob& blob : blobs_) {
    use.bytes += blob.memory.size();
    use.bytes_to_go += blob.rest.size();
  }
  use.bytes_out = ranges_.bytes_out();
  use.is_refused = refused_us_ != 0;
  const std::lock_guard lock(published_mutex_);
  published_ = use;
  // Nothing is left to do, or nothing can be done.
  if (hurries_ && (use.bytes_to_go == 0 || refused_us_ != 0)) {
    hurries_ = false;
    changed_.notify_all();
  }
}

ColdBlobs::Blob* ColdBlobs::first_unwritten() {
  const auto found = std::ranges::find_if(blobs_, [](const Blob& b) { return !b.rest.empty(); });
  return found == blobs_.end() ? nullptr : &*found;
}

/// How long the blob, which may be none, need not be touched; 0 = now.
std::uint64_t ColdBlobs::find_wait_us(const Blob* blob, std::uint64_t now_us) const {
  if (blob == nullptr || is_paused_) return kLongestWaitUs;
  if (refused_us_ != 0 && now_us - refused_us_ < kRefusedForUs) {
    return kRefusedForUs - (now_us - refused_us_);
  }
  const std::uint64_t due_us = is_hurrying() ? 0 : blob->due_us;
  if (due_us > now_us) return std::min(due_us - now_us, kLongestWaitUs);
  return store_.pause_us();
}

/// Writes a piece if one is due. How long the thread may sleep then.
std::uint64_t ColdBlobs::turn() {
  const std::lock_guard lock(mutex_);
  Blob* const blob = first_unwritten();
  const std::uint64_t wait_us = find_wait_us(blob, monotonic_us());
  if (wait_us == 0) page_out_piece(*blob);
  publish();
  return wait_us == 0 ? kBreatherUs : wait_us;
}

void ColdBlobs::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::uint64_t wait_us = turn();
    std::unique_lock lock(published_mutex_);
    changed_.wait_for(lock, stop, std::chrono::microseconds(wait_us), [this] { return is_woken_; });
    is_woken_ = false;
  }
}

void ColdBlobs::page_out_piece(Blob& blob) {
  const auto piece = blob.rest.first(std::min<std::size_t>(kPieceBytes, blob.rest.size()));
  blob.out.reserve(blob.out.size() + 1);
  const ColdResult gone = ranges_.page_out("prompt cache", piece);
  totals_.written_total += gone.bytes_moved;
  totals_.lost_total += gone.bytes_lost;
  if (!gone.errors.empty()) {
    refused_us_ = monotonic_us();
    if (gone.bytes_lost > 0) blob.lost = gone.errors.front();
    return;
  }
  refused_us_ = 0;
  blob.out.push_back(piece);
  blob.rest = blob.rest.subspan(piece.size());
}

}  // namespace kvpsi
