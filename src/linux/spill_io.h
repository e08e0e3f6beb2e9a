// SPDX-License-Identifier: MIT
// SpillIo: the system calls a spill file makes, in one place, so that a test can make every single
// one short, slow or failing; and the loops around them that finish short transfers. Must not know
// blocks or extents. Next hop: spill_file.h.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace kvpsi {

/// What a disk can give and what is free on it.
struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  ///< for ordinary users
};

/// The system calls themselves; each returns what the kernel returns and sets errno. Any thread.
class SpillIo {
 public:
  virtual ~SpillIo() = default;

  /// open(directory, O_TMPFILE | flags, 0600).
  virtual int open_unnamed(const char* directory, int flags);
  virtual ssize_t write_at(int fd, std::span<const std::byte> from, std::uint64_t offset);
  virtual ssize_t read_at(int fd, std::span<std::byte> into, std::uint64_t offset);
  /// Gives the disk blocks of a range back; the file keeps its size.
  virtual int punch(int fd, std::uint64_t offset, std::uint64_t bytes);
  virtual int truncate(int fd, std::uint64_t bytes);
  /// Waits until the range is on its way to the device and reports what went wrong there.
  virtual int sync_range(int fd, std::uint64_t offset, std::uint64_t bytes);
  /// Drops the range from the page cache.
  virtual int drop_cached(int fd, std::uint64_t offset, std::uint64_t bytes);
  /// Empty where the kernel does not say.
  virtual std::optional<DiskSpace> disk_space(int fd);
};

/// The plain system calls.
SpillIo& system_spill_io();

/// How a transfer ended.
struct TransferEnd {
  int errno_value = 0;       ///< 0: all of it was transferred
  bool is_cut = false;       ///< reading: the file ends before the range does
  bool was_refused = false;  ///< direct transfer only: the file wants to be used without O_DIRECT
};

/// Write or read all of the buffer at `offset`, going on after short calls and EINTR. `is_direct`:
/// the descriptor has O_DIRECT, so that every call must begin on SpillStore::kAlignment.
TransferEnd write_all_at(SpillIo& io, int fd, std::span<const std::byte> from, std::uint64_t offset,
                         bool is_direct);
TransferEnd read_all_at(SpillIo& io, int fd, std::span<std::byte> into, std::uint64_t offset,
                        bool is_direct);

}  // namespace kvpsi
