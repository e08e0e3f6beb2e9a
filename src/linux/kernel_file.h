// SPDX-License-Identifier: MIT
// KernelFile: a procfs or cgroupfs file that is opened once and read again and again into a buffer
// of the caller. Opening costs more than reading, needs memory, and may be refused just when memory
// is short; so samples never open. Next hop: the parsers.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "linux/fd.h"

namespace kvpsi {

/// Text of a file or the errno that reading it gave; allocation-free, unlike Result's Error.
struct ReadText {
  std::string_view text;  ///< points into the caller's buffer
  int errno_value = 0;    ///< EFBIG when the buffer is too small

  bool ok() const { return errno_value == 0; }
};

/// One open file for reading, always from offset 0. Movable; not thread-safe. After a fork the
/// files of /proc/self still show the parent.
class KernelFile {
 public:
  KernelFile() = default;

  /// Opens for reading. On failure the object is closed and open_errno() says why.
  explicit KernelFile(const std::string& path);

  bool is_open() const { return fd_.is_open(); }
  int open_errno() const { return open_errno_; }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

  /// Reads the whole file with pread from offset 0. ENODEV means that the cgroup was removed,
  /// EOPNOTSUPP on a pressure file that the kernel runs with psi=0, EBADF that it is not open.
  ReadText read(std::span<char> buffer) const;

 private:
  UniqueFd fd_;
  int open_errno_ = 0;
};

/// Reads a whole small file (at most 1 MiB) once. Errors: not_found, permission, io, exhausted.
Result<std::string> read_small_file(const std::string& path);

/// The ErrorCode for an errno of open, read or write.
ErrorCode error_code_of(int errno_value);

}  // namespace kvpsi
