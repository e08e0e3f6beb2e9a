// SPDX-License-Identifier: MIT
// See small_file.h.
#include "base/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"

namespace kvpsi {
namespace {

ErrorCode code_of(int errno_value) {
  if (errno_value == ENOENT || errno_value == ENOTDIR) return ErrorCode::not_found;
  return errno_value == EACCES || errno_value == EPERM ? ErrorCode::permission : ErrorCode::io;
}

class OpenFile {
 public:
  // Opening a FIFO waits for a writer unless told not to; reading may wait again.
  explicit OpenFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (fd_ >= 0) ::fcntl(fd_, F_SETFL, 0);
  }
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }

 private:
  const int fd_;
};

/// Reads up to `most_bytes` and one more; returns the errno that ended it, 0 for none.
int read_all(int fd, std::uint64_t most_bytes, std::string& text) {
  constexpr std::uint64_t kChunk = 64 * kKiB;
  while (text.size() <= most_bytes) {
    const std::size_t before = text.size();
    text.resize(before + std::min(kChunk, most_bytes + 1 - before));
    const ssize_t got = ::read(fd, text.data() + before, text.size() - before);
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return 0;
    if (got < 0 && errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

Result<std::string> read_named_file(const std::string& path, std::uint64_t most_bytes) {
  const OpenFile file(path);
  if (file.fd() < 0) {
    const int reason = errno;
    return fail(code_of(reason), "cannot open the file", path, reason);
  }
  struct stat facts{};
  if (::fstat(file.fd(), &facts) == 0 && S_ISDIR(facts.st_mode)) {
    return fail(ErrorCode::invalid_argument, "is a directory, not a file", path);
  }
  std::string text;
  const int reason = read_all(file.fd(), most_bytes, text);
  if (reason != 0) return fail(code_of(reason), "cannot read the file", path, reason);
  if (text.size() > most_bytes) {
    return fail(ErrorCode::invalid_argument,
                "is larger than " + format_bytes(most_bytes) + ", the most such a file may have",
                path);
  }
  if (text.empty()) return fail(ErrorCode::invalid_argument, "is empty", path);
  return text;
}

}  // namespace kvpsi
