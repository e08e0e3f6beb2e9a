// SPDX-License-Identifier: MIT
// The other end of the stand-ins for kernel files: a FIFO's writer and a listening AF_UNIX socket,
// with paths in a FakeFs. What a test writes is what the source sees, at once.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "linux/fd.h"

namespace kvpsi::test {

inline void write_all(int fd, std::string_view text) {
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

/// Makes a FIFO and writes into it.
class FifoPeer {
 public:
  explicit FifoPeer(const std::string& path) {
    if (::mkfifo(path.c_str(), 0600) != 0) std::abort();
    fd_.reset(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  }
  void send(std::string_view text) const { write_all(fd_.get(), text); }
  /// What is there now, at most 256 bytes.
  std::string receive() const {
    char buffer[256];
    const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
    return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
  }
  void hang_up() { fd_.reset(); }

 private:
  UniqueFd fd_;
};

/// Listens on a socket; accept() the source's connection before sending.
class SocketPeer {
 public:
  explicit SocketPeer(const std::string& path)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(listener_.get(), generic, sizeof address) != 0) std::abort();
    if (::listen(listener_.get(), 4) != 0) std::abort();
  }
  void accept() { connection_.reset(::accept(listener_.get(), nullptr, nullptr)); }
  void send(std::string_view text) const { write_all(connection_.get(), text); }
  std::string receive() const {
    char buffer[256];
    const ssize_t got = ::read(connection_.get(), buffer, sizeof buffer);
    return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
  }
  void hang_up() { connection_.reset(); }

 private:
  UniqueFd listener_;
  UniqueFd connection_;
};

}  // namespace kvpsi::test
