// SPDX-License-Identifier: MIT
// See status_transfer.h. Every wait is one poll(2) against one deadline, so that a peer who sends a
// byte now and then gains no time.
#include "cli/status_transfer.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "base/clock.h"

namespace kvpsi {
namespace {

/// Waits until `fd` is ready; how the transfer ended where it does not get so far.
std::optional<TransferEnd> wait_for(int fd, short events, const TransferBounds& bounds) {
  while (true) {
    const std::uint64_t now_us = monotonic_us();
    if (now_us >= bounds.deadline_us) return TransferEnd::timed_out;
    const auto wait_ms = static_cast<int>((bounds.deadline_us - now_us) / 1000 + 1);
    // poll(2) passes over negative descriptors.
    std::array<pollfd, 2> watched{pollfd{fd, events, 0}, pollfd{bounds.stop_fd, POLLIN, 0}};
    const int ready = ::poll(watched.data(), watched.size(), wait_ms);
    if (ready < 0 && errno != EINTR) return TransferEnd::closed;
    if (ready <= 0) continue;
    if (watched[1].revents != 0) return TransferEnd::stopped;
    if (watched[0].revents != 0) return std::nullopt;
  }
}

bool is_passing(int errno_value) { return errno_value == EAGAIN || errno_value == EINTR; }

}  // namespace

StatusAddress::StatusAddress(const ListedProcess& process) {
  value_.sun_family = AF_UNIX;
  const std::string name = format_status_name(process);
  KVPSI_ASSERT(name.size() < sizeof value_.sun_path);
  std::memcpy(value_.sun_path + 1, name.data(), name.size());
  size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

const sockaddr* StatusAddress::get() const {
  return static_cast<const sockaddr*>(static_cast<const void*>(&value_));
}

std::string StatusAddress::words() const {
  return "@" + std::string(value_.sun_path + 1, size_ - offsetof(sockaddr_un, sun_path) - 1);
}

std::optional<ucred> read_other_end(int fd) {
  ucred other{};
  socklen_t size = sizeof other;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &other, &size) != 0) return std::nullopt;
  return other;
}

TransferEnd receive_line(int fd, std::size_t most_bytes, const TransferBounds& bounds,
                         std::string& line) {
  line.clear();
  std::array<char, 4096> piece;
  while (true) {
    if (const auto end = wait_for(fd, POLLIN, bounds)) return *end;
    const std::size_t room = std::min(piece.size(), most_bytes + 1 - line.size());
    const ssize_t n = ::recv(fd, piece.data(), room, MSG_DONTWAIT);
    if (n < 0 && is_passing(errno)) continue;
    if (n <= 0) return TransferEnd::closed;
    const std::string_view got(piece.data(), static_cast<std::size_t>(n));
    const std::size_t feed = got.find('\n');
    line += got.substr(0, feed);
    if (feed != got.npos) return TransferEnd::done;
    if (line.size() > most_bytes) return TransferEnd::too_long;
  }
}

TransferEnd send_text(int fd, std::string_view text, const TransferBounds& bounds) {
  while (!text.empty()) {
    if (const auto end = wait_for(fd, POLLOUT, bounds)) return *end;
    const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && is_passing(errno)) continue;
    if (n <= 0) return TransferEnd::closed;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return TransferEnd::done;
}

}  // namespace kvpsi
