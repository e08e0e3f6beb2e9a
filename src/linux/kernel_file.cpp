// SPDX-License-Identifier: MIT
// Reading of kernel files; see kernel_file.h.
#include "linux/kernel_file.h"

#include <fcntl.h>

#include <cerrno>

namespace kvpsi {

KernelFile::KernelFile(const std::string& path)
    : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)) {
  if (!fd_.is_open()) open_errno_ = errno;
}

ReadText KernelFile::read(std::span<char> buffer) const {
  if (!fd_.is_open()) return {.text = {}, .errno_value = EBADF};
  std::size_t size = 0;
  // Files that the kernel makes record by record (vmstat) return a page at most a call, so only
  // an empty read is the end.
  while (size < buffer.size()) {
    const ssize_t got =
        ::pread(fd_.get(), buffer.data() + size, buffer.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {.text = {}, .errno_value = errno};
    if (got == 0) return {.text = {buffer.data(), size}, .errno_value = 0};
    size += static_cast<std::size_t>(got);
  }
  return {.text = {}, .errno_value = EFBIG};
}

ErrorCode error_code_of(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ESRCH:
      return ErrorCode::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::permission;
    case EOPNOTSUPP:
    case ENOSYS:
    case ENOTTY:
      return ErrorCode::unsupported;
    case EFBIG:
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return ErrorCode::exhausted;
    default:
      return ErrorCode::io;
  }
}

Result<std::string> read_small_file(const std::string& path) {
  const KernelFile file(path);
  if (!file.is_open()) {
    return fail(error_code_of(file.open_errno()), "cannot be opened", path, file.open_errno());
  }
  constexpr std::size_t kMostBytes = 1024 * 1024;
  for (std::size_t size = 16 * 1024;; size *= 4) {
    std::string text(size, '\0');
    const ReadText got = file.read(text);
    if (got.errno_value == EFBIG && size < kMostBytes) continue;
    if (!got.ok()) {
      return fail(error_code_of(got.errno_value), "cannot be read", path, got.errno_value);
    }
    text.resize(got.text.size());
    return text;
  }
}

}  // namespace kvpsi
