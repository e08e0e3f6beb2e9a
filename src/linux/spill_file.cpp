// SPDX-License-Identifier: MIT
// Blocks: how one is written, proven and read; space and pace are in spill_file_space.cpp.
#include "linux/spill_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "linux/kernel_file.h"
#include "linux/spill_checksum.h"

namespace kvpsi {
namespace {

std::uint64_t stored_bytes_of(std::uint64_t bytes) {
  return (bytes + SpillStore::kAlignment - 1) / SpillStore::kAlignment * SpillStore::kAlignment;
}

bool is_usable(std::span<const std::byte> buffer, std::uint64_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(buffer.data());
  return bytes > 0 && bytes <= SpillStore::kMaxBlockBytes && bytes <= buffer.size() &&
         buffer.size() % SpillStore::kAlignment == 0 && address % SpillStore::kAlignment == 0;
}

}  // namespace

Result<std::unique_ptr<SpillFile>> SpillFile::open(const SpillFileOptions& options, SpillIo& io) {
  auto checked = check_spill_directory(options.directory, options.place, io);
  if (!checked) return std::unexpected(std::move(checked).error());
  SpillDay day;
  if (options.daily_bytes > 0) {
    auto opened = SpillDay::open(options.directory, options.daily_bytes);
    if (!opened) return std::unexpected(std::move(opened).error());
    day = *std::move(opened);
  }
  auto file = open_private_file(options.directory, io);
  if (!file) return std::unexpected(std::move(file).error());
  SpillFileOptions cut = options;
  if (const auto disk = io.disk_space(file->fd.get())) {
    const std::uint64_t half = disk->free_bytes / 2 / kAlignment * kAlignment;
    cut.budget_bytes = std::min(cut.budget_bytes, half);
  }
  return std::unique_ptr<SpillFile>(new SpillFile(cut, io, *std::move(file), std::move(day)));
}

Result<SpillBlock> SpillFile::write(const SpillIdentity& identity, std::span<std::byte> buffer,
                                    std::uint64_t bytes) {
  if (!is_usable(buffer, bytes)) {
    return fail(ErrorCode::invalid_argument, "a spilled block has 1 byte to 8 MiB, on a page");
  }
  const auto stored = buffer.first(stored_bytes_of(bytes));
  std::ranges::fill(stored.subspan(bytes), std::byte{0});
  const auto extent = take_extent(stored.size());
  if (!extent) return std::unexpected(extent.error());
  SpillBlock block{.offset = extent->offset, .bytes = bytes, .identity = identity};
  block.checksum = spill_checksum(block, stored);
  const std::uint64_t began_us = monotonic_us();
  if (auto done = transfer_out(stored, *extent); !done) {
    free_failed(*extent, done.error().code);
    return std::unexpected(std::move(done).error());
  }
  note_write(began_us, bytes);
  return block;
}

Result<void> SpillFile::transfer_out(std::span<const std::byte> from, const Extent& extent) {
  if (auto charged = charge_day(extent.bytes); !charged) return charged;
  TransferEnd end;
  if (is_direct()) {
    end = write_all_at(io_, fd_.get(), from, extent.offset, true);
    if (end.was_refused) give_up_direct();
  }
  if (!is_direct()) end = write_all_at(io_, fd_.get(), from, extent.offset, false);
  // Some file systems take O_DIRECT and use the page cache all the same, so this holds for both.
  // Without waiting, a full disk or a bad one would be found out long after we said it is kept.
  if (end.errno_value == 0 && io_.sync_range(fd_.get(), extent.offset, extent.bytes) != 0) {
    end.errno_value = errno;
  }
  io_.drop_cached(fd_.get(), extent.offset, extent.bytes);
  if (end.errno_value == 0) return {};
  return std::unexpected(
      error(error_code_of(end.errno_value), "a block cannot be spilled", end.errno_value));
}

Result<void> SpillFile::read(const SpillBlock& block, std::span<std::byte> buffer) {
  const Extent extent{block.offset, stored_bytes_of(block.bytes)};
  if (!is_usable(buffer, block.bytes) || block.offset % kAlignment != 0) {
    return fail(ErrorCode::invalid_argument, "no spilled block is of this size or place");
  }
  const auto stored = buffer.first(extent.bytes);
  Result<void> done = transfer_in(stored, extent);
  if (done && spill_checksum(block, stored) != block.checksum) {
    done = std::unexpected(error(ErrorCode::malformed, "a spilled block does not verify"));
  }
  const std::lock_guard lock(mutex_);
  if (done) {
    use_.read_bytes_total += block.bytes;
  } else {
    ++use_.lost_blocks_total;
  }
  return done;
}

Result<void> SpillFile::transfer_in(std::span<std::byte> into, const Extent& extent) {
  TransferEnd end;
  if (is_direct()) {
    end = read_all_at(io_, fd_.get(), into, extent.offset, true);
    if (end.was_refused) give_up_direct();
  }
  if (!is_direct()) end = read_all_at(io_, fd_.get(), into, extent.offset, false);
  io_.drop_cached(fd_.get(), extent.offset, extent.bytes);
  if (end.errno_value == 0) return {};
  if (end.is_cut) {
    return std::unexpected(error(ErrorCode::malformed, "the spill file was cut off"));
  }
  return std::unexpected(error(ErrorCode::io, "a spilled block cannot be read", end.errno_value));
}

/// Flags belong to the open file, so the other threads follow; theirs fail once and come here too.
void SpillFile::give_up_direct() {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  ::fcntl(fd_.get(), F_SETFL, flags & ~O_DIRECT);
  // Reading ahead would fill the page cache with blocks nobody asked for.
  ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_RANDOM);
  is_direct_ = false;
}

void SpillFile::erase(const SpillBlock& block) {
  const std::lock_guard lock(mutex_);
  free_extent({block.offset, stored_bytes_of(block.bytes)});
  KVPSI_ASSERT(use_.held_bytes >= block.bytes);
  use_.held_bytes -= block.bytes;
}

SpillUse SpillFile::use() const {
  const std::lock_guard lock(mutex_);
  SpillUse use = use_;
  use.budget_bytes = budget_bytes_;
  return use;
}

Error SpillFile::error(ErrorCode code, std::string what, int errno_value) const {
  return Error{code, std::move(what), directory_, errno_value};
}

}  // namespace kvpsi
