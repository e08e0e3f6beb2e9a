// SPDX-License-Identifier: MIT
// System calls of spill_io.h, and the loops around them.
#include "linux/spill_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "govern/ports.h"

namespace kvpsi {
namespace {

/// Calls in a row that move less than one aligned unit, after which direct transfer is given up.
constexpr int kMostStalls = 4;

off_t to_offset(std::uint64_t bytes) { return static_cast<off_t>(bytes); }

/// One state machine for both directions. `transfer(done)` moves bytes from `done` on.
template <class Transfer>
TransferEnd transfer_all(std::size_t bytes, bool is_direct, Transfer transfer) {
  int stalls = 0;
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t moved = transfer(done);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) {
      return {.errno_value = errno, .was_refused = is_direct && errno == EINVAL};
    }
    if (moved == 0) return {.errno_value = EIO, .is_cut = true};
    auto step = static_cast<std::size_t>(moved);
    // A direct call has to begin on the grid, so what came beyond it is transferred again.
    if (is_direct && done + step < bytes)
      step = step / SpillStore::kAlignment * SpillStore::kAlignment;
    if (step == 0 && ++stalls == kMostStalls) {
      return {.errno_value = EINVAL, .was_refused = true};
    }
    done += step;
  }
  return {};
}

/// Where the file ends before `end`: a direct read that meets it would otherwise look short.
bool is_cut_before(int fd, std::uint64_t end) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && static_cast<std::uint64_t>(status.st_size) < end;
}

}  // namespace

int SpillIo::open_unnamed(const char* directory, int flags) {
  return ::open(directory, O_TMPFILE | flags, 0600);
}

ssize_t SpillIo::write_at(int fd, std::span<const std::byte> from, std::uint64_t offset) {
  return ::pwrite(fd, from.data(), from.size(), to_offset(offset));
}

ssize_t SpillIo::read_at(int fd, std::span<std::byte> into, std::uint64_t offset) {
  return ::pread(fd, into.data(), into.size(), to_offset(offset));
}

int SpillIo::punch(int fd, std::uint64_t offset, std::uint64_t bytes) {
  return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, to_offset(offset),
                     to_offset(bytes));
}

int SpillIo::truncate(int fd, std::uint64_t bytes) { return ::ftruncate(fd, to_offset(bytes)); }

int SpillIo::sync_range(int fd, std::uint64_t offset, std::uint64_t bytes) {
  const int done = ::sync_file_range(
      fd, to_offset(offset), to_offset(bytes),
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  const bool is_unknown = done != 0 && (errno == ENOSYS || errno == ESPIPE || errno == EINVAL);
  return is_unknown ? ::fdatasync(fd) : done;
}

int SpillIo::drop_cached(int fd, std::uint64_t offset, std::uint64_t bytes) {
  const int reason = ::posix_fadvise(fd, to_offset(offset), to_offset(bytes), POSIX_FADV_DONTNEED);
  if (reason != 0) errno = reason;
  return reason == 0 ? 0 : -1;
}

std::optional<DiskSpace> SpillIo::disk_space(int fd) {
  struct statvfs status{};
  if (::fstatvfs(fd, &status) != 0 || status.f_blocks == 0) return std::nullopt;
  const std::uint64_t unit = status.f_frsize;
  return DiskSpace{.total_bytes = unit * status.f_blocks, .free_bytes = unit * status.f_bavail};
}

SpillIo& system_spill_io() {
  static SpillIo io;
  return io;
}

TransferEnd write_all_at(SpillIo& io, int fd, std::span<const std::byte> from, std::uint64_t offset,
                         bool is_direct) {
  TransferEnd end = transfer_all(from.size(), is_direct, [&](std::size_t done) {
    return io.write_at(fd, from.subspan(done), offset + done);
  });
  end.is_cut = false;
  return end;
}

TransferEnd read_all_at(SpillIo& io, int fd, std::span<std::byte> into, std::uint64_t offset,
                        bool is_direct) {
  if (is_cut_before(fd, offset + into.size())) return {.errno_value = EIO, .is_cut = true};
  return transfer_all(into.size(), is_direct, [&](std::size_t done) {
    return io.read_at(fd, into.subspan(done), offset + done);
  });
}

}  // namespace kvpsi
