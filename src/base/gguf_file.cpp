// SPDX-License-Identifier: MIT
// Reads growing pieces of a model file until its header fits; see gguf_file.h.
#include "base/gguf_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kFirstPiece = kMiB;
constexpr std::uint64_t kLargestPiece = 256 * kMiB;

/// Closes a descriptor at the end of its scope.
struct OpenFile {
  int fd;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

std::unexpected<Error> open_failed(const std::string& path, int error) {
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found
                         : error == EACCES || error == EPERM ? ErrorCode::permission
                                                             : ErrorCode::io;
  return fail(code, "cannot open the model", path, error);
}

/// Extends `bytes` to `size` from the file; false with errno where that fails.
bool read_up_to(int fd, std::uint64_t size, std::string& bytes) {
  std::uint64_t have = bytes.size();
  bytes.resize(size);
  while (have < size) {
    const ssize_t n = ::pread(fd, bytes.data() + have, size - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) break;
    have += static_cast<std::uint64_t>(n);
  }
  bytes.resize(have);
  return true;
}

}  // namespace

Result<GgufFile> read_gguf_file(const std::string& path) {
  const OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return open_failed(path, errno);
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) return open_failed(path, errno);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::malformed, "the model is not a file", path);
  const auto file_bytes = static_cast<std::uint64_t>(info.st_size);

  std::string bytes;
  for (std::uint64_t piece = kFirstPiece;; piece *= 4) {
    piece = std::min(piece, kLargestPiece);
    if (!read_up_to(file.fd, std::min(piece, file_bytes), bytes)) {
      return fail(ErrorCode::io, "cannot read the model", path, errno);
    }
    auto header = parse_gguf_header(bytes, file_bytes);
    if (header) return GgufFile{std::move(*header), file_bytes};
    if (header.error().code != ErrorCode::exhausted || piece >= kLargestPiece) {
      return fail(ErrorCode::malformed, header.error().what, path);
    }
  }
}

}  // namespace kvpsi
