// SPDX-License-Identifier: MIT
// FIFOs and AF_UNIX stream sockets as a source of wake-ups and lines: the stand-ins for kernel
// files that make tests deterministic and that the MEMORY_PRESSURE_WATCH protocol allows. Must not
// know what the lines mean. Next hop: psi_file.h, pressure_watch.h.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "linux/fd.h"

namespace kvpsi {

/// Opens a FIFO without blocking, for reading and writing: with a reader's side only, each writer
/// that ends would be a hang-up that wakes poll for ever. Errors: not_found, permission, io.
Result<UniqueFd> open_fifo(const std::string& path);

/// Connects to an AF_UNIX stream socket; reads do not block. Errors: invalid_argument for a path
/// over 107 characters, not_found (nobody listens), permission, io.
Result<UniqueFd> connect_unix(const std::string& path);

/// What draining saw.
struct DrainResult {
  bool got_data = false;  ///< anything arrived: a wake-up
  bool is_lost = false;   ///< end of stream or an error: stop polling this descriptor
};

/// Reads what is there (at most 64 times 1 KiB, so that a writer without end cannot hold the
/// governor) and calls `take(bytes)` for each piece. Never blocks or allocates.
template <class Take>
DrainResult drain_stream(int fd, Take&& take);

/// Puts pieces together to lines of at most 255 characters; longer ones are dropped whole.
class LineAssembler {
 public:
  /// Calls `take(line)` for each line that `bytes` completes, without its line feed.
  template <class Take>
  void feed(std::string_view bytes, Take&& take) {
    for (const char c : bytes) {
      if (c == '\n') {
        if (!is_too_long_) take(std::string_view(line_.data(), size_));
        size_ = 0;
        is_too_long_ = false;
      } else if (size_ == line_.size()) {
        is_too_long_ = true;
      } else {
        line_[size_++] = c;
      }
    }
  }

 private:
  std::array<char, 255> line_{};
  std::size_t size_ = 0;
  bool is_too_long_ = false;
};

namespace detail {
/// One read: > 0 bytes, 0 = nothing there now, -1 = lost.
long read_stream(int fd, char* buffer, std::size_t size);
}  // namespace detail

template <class Take>
DrainResult drain_stream(int fd, Take&& take) {
  DrainResult result;
  std::array<char, 1024> buffer;
  for (int reads = 0; reads < 64; ++reads) {
    const long got = detail::read_stream(fd, buffer.data(), buffer.size());
    if (got < 0) result.is_lost = true;
    if (got <= 0) break;
    result.got_data = true;
    take(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  }
  return result;
}

}  // namespace kvpsi
