// SPDX-License-Identifier: MIT
// The space of spill_file.h: who may have which extent, how erased space goes back, and the pace.
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "linux/spill_file.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kLargestFileBytes = std::uint64_t{1} << 62;
constexpr std::uint64_t kPieceBytes = 64 * kMiB;
constexpr unsigned kMostFailuresInARow = 4;

}  // namespace

SpillFile::SpillFile(const SpillFileOptions& options, SpillIo& io, PrivateFile file, SpillDay day)
    : directory_(options.directory),
      keep_free_bytes_(options.place.keep_free_bytes),
      daily_bytes_(options.daily_bytes),
      budget_bytes_(options.budget_bytes),
      io_(io),
      fd_(std::move(file.fd)),
      is_direct_(file.is_direct),
      day_(std::move(day)) {
  free_.insert({0, kLargestFileBytes});
  if (options.io_pressure.empty()) return;
  if (auto opened = PsiFile::open(options.io_pressure)) pressure_ = *std::move(opened);
}

Result<Extent> SpillFile::take_extent(std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  const std::uint64_t erased_bytes = erased_.bytes();
  lock.unlock();
  const bool has_disk = disk_room_bytes(erased_bytes) >= bytes;
  lock.lock();
  const char* what = nullptr;
  if (failures_in_a_row_ >= kMostFailuresInARow) {
    what = "the disk has failed too often; nothing more is spilled to it";
  } else if (held_extent_bytes_ + bytes > budget_bytes_) {
    what = "the spill budget is used up";
  } else if (!has_disk) {
    what = "the disk is too full for spilling; make room or name another spill directory";
  }
  const auto offset = free_.first_fit(bytes);
  KVPSI_ASSERT(offset);
  const Extent extent{*offset, bytes};
  // Without holes the gaps between blocks are on the disk too.
  if (what == nullptr && !has_holes_ && extent.end() > budget_bytes_) {
    what = "the spill file is too fragmented";
  }
  if (what != nullptr) {
    ++use_.write_errors_total;
    const bool has_failed = failures_in_a_row_ >= kMostFailuresInARow;
    return std::unexpected(error(has_failed ? ErrorCode::io : ErrorCode::exhausted, what));
  }
  free_.remove(extent);
  erased_.remove(extent);
  held_extent_bytes_ += bytes;
  ++writes_running_;
  return extent;
}

Result<void> SpillFile::charge_day(std::uint64_t bytes) {
  if (daily_bytes_ == 0) return {};
  const std::lock_guard lock(day_mutex_);
  return day_.charge(spill_day_now(), bytes);
}

/// Under the mutex.
void SpillFile::free_extent(const Extent& extent) {
  KVPSI_ASSERT(held_extent_bytes_ >= extent.bytes);
  held_extent_bytes_ -= extent.bytes;
  free_.insert(extent);
  erased_.insert(extent);
}

void SpillFile::free_failed(const Extent& extent, ErrorCode code) {
  const std::lock_guard lock(mutex_);
  free_extent(extent);
  --writes_running_;
  ++use_.write_errors_total;
  // A full disk may have room again tomorrow; a bad one stays bad.
  if (code != ErrorCode::exhausted) ++failures_in_a_row_;
}

void SpillFile::note_write(std::uint64_t began_us, std::uint64_t bytes) {
  const std::uint64_t now_us = monotonic_us();
  {
    const std::lock_guard lock(mutex_);
    --writes_running_;
    failures_in_a_row_ = 0;
    use_.held_bytes += bytes;
    use_.written_bytes_total += bytes;
  }
  const std::lock_guard lock(pace_mutex_);
  pace_.on_written(now_us, now_us - began_us, bytes, some_stall_us_total());
}

bool SpillFile::return_space() {
  std::unique_lock lock(mutex_);
  if (!has_holes_) {
    cut_tail();
    return false;
  }
  if (erased_.empty()) return false;
  const Extent first = erased_.extents().front();
  const Extent piece{first.offset, std::min(first.bytes, kPieceBytes)};
  // Out of both sets, so that nobody writes where the hole is going to be.
  erased_.remove(piece);
  free_.remove(piece);
  lock.unlock();
  const int reason = io_.punch(fd_.get(), piece.offset, piece.bytes) == 0 ? 0 : errno;
  lock.lock();
  free_.insert(piece);
  if (reason == 0) return !erased_.empty();
  erased_.insert(piece);
  if (reason == EOPNOTSUPP || reason == ENOSYS || reason == EINVAL) {
    has_holes_ = false;
    cut_tail();
  }
  return false;
}

/// Under the mutex, which is the one exception to never waiting with it; between writes only,
/// because a write beyond the new end would be cut off.
void SpillFile::cut_tail() {
  const std::uint64_t end = free_.extents().back().offset;
  const Extent tail{end, kLargestFileBytes - end};
  if (writes_running_ > 0 || !erased_.overlaps(tail)) return;
  if (io_.truncate(fd_.get(), end) == 0) erased_.remove(tail);
}

std::uint64_t SpillFile::disk_room_bytes(std::uint64_t erased_bytes) {
  const auto disk = io_.disk_space(fd_.get());
  if (!disk) return budget_bytes_;
  const std::uint64_t keep = keep_free_bytes_.value_or(keep_free_of(*disk));
  const std::uint64_t room = disk->free_bytes + erased_bytes;
  return room > keep ? room - keep : 0;
}

std::uint64_t SpillFile::room_bytes() {
  std::unique_lock lock(mutex_);
  if (failures_in_a_row_ >= kMostFailuresInARow) return 0;
  const std::uint64_t left = budget_bytes_ - std::min(budget_bytes_, held_extent_bytes_);
  const std::uint64_t erased_bytes = erased_.bytes();
  lock.unlock();
  std::uint64_t room = std::min(left, disk_room_bytes(erased_bytes));
  if (daily_bytes_ > 0) {
    const std::lock_guard day_lock(day_mutex_);
    room = std::min(room, day_.left_bytes(spill_day_now()));
  }
  return room / kAlignment * kAlignment;
}

/// Under the pace's mutex.
std::optional<std::uint64_t> SpillFile::some_stall_us_total() {
  if (!pressure_) return std::nullopt;
  std::array<char, 512> buffer;
  int reason = 0;
  const auto totals = pressure_->read(buffer, reason);
  if (!totals) return std::nullopt;
  return totals->some_us_total;
}

std::uint64_t SpillFile::pause_us() {
  const std::lock_guard lock(pace_mutex_);
  return pace_.pause_us(monotonic_us(), some_stall_us_total());
}

}  // namespace kvpsi
