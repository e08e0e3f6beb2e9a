// SPDX-License-Identifier: MIT
// The two kinds of memory that the presser holds: anonymous pages, and pages of a file in the page
// cache. Knows how to touch them, not when. Next hop: presser.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace kvpsi {

struct PressOptions;

/// Anonymous memory that is reserved at once and committed by touching. Movable.
class AnonMemory {
 public:
  /// Errors: exhausted.
  static Result<AnonMemory> reserve(std::uint64_t bytes);
  AnonMemory(AnonMemory&& other) noexcept;
  AnonMemory& operator=(AnonMemory&&) = delete;
  ~AnonMemory();

  std::uint64_t bytes() const { return bytes_; }

  /// Writes one word into each page of [from, from + bytes).
  void touch(std::uint64_t from, std::uint64_t bytes);

 private:
  AnonMemory(char* base, std::uint64_t bytes) : base_(base), bytes_(bytes) {}
  char* base_ = nullptr;
  std::uint64_t bytes_ = 0;
};

/// A file that is read over and over. Movable.
class FileMemory {
 public:
  /// Opens options.file, or makes an unlinked file of options.file_bytes in options.directory (its
  /// blocks are written, flushed and dropped from the page cache, since a hole or a dirty page is
  /// no reading). No file at all where both are empty. `stop` ends the making early.
  /// Errors: unsupported (tmpfs, ramfs: their pages are memory that cannot be dropped), not_found,
  /// io, exhausted, cancelled.
  static Result<FileMemory> open(const PressOptions& options, const std::function<bool()>& stop);
  FileMemory(FileMemory&& other) noexcept;
  FileMemory& operator=(FileMemory&&) = delete;
  ~FileMemory();

  std::uint64_t bytes() const { return bytes_; }

  /// Reads one word of each page of [from, from + bytes) (mapping) or all of it (pread).
  /// Errors: io.
  Result<void> read(std::uint64_t from, std::uint64_t bytes);

 private:
  FileMemory() = default;
  int fd_ = -1;
  const char* mapped_ = nullptr;
  std::uint64_t bytes_ = 0;
};

/// Sleeps for 10 ms: the only rest of a presser that has nothing to do.
void wait_a_little();

}  // namespace kvpsi
