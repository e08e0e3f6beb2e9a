// SPDX-License-Identifier: MIT
// See stream.h.
#include "linux/stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "linux/kernel_file.h"

namespace kvpsi {

Result<UniqueFd> open_fifo(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd.is_open()) {
    return fail(error_code_of(errno), "the FIFO cannot be opened for reading and writing", path,
                errno);
  }
  return fd;
}

Result<UniqueFd> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid_argument, "a socket path has at most 107 characters", path);
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) return fail(ErrorCode::io, "no socket can be made", path, errno);
  // A full backlog answers EAGAIN at once: connecting never blocks on AF_UNIX with SOCK_NONBLOCK.
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(fd.get(), generic, sizeof address) != 0) {
    const ErrorCode code = errno == ECONNREFUSED ? ErrorCode::not_found : error_code_of(errno);
    return fail(code, "nobody listens at this socket", path, errno);
  }
  return fd;
}

namespace detail {

long read_stream(int fd, char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(fd, buffer, size);
    if (got > 0) return got;
    if (got == 0) return -1;
    if (errno == EINTR) continue;
    return errno == EAGAIN ? 0 : -1;
  }
}

}  // namespace detail
}  // namespace kvpsi
