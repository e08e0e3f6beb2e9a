// SPDX-License-Identifier: MIT
// Both ends of the status socket; see status_socket.h.
#include "cli/status_socket.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>

#include "linux/status_name.h"

namespace kvpsi {
namespace {

constexpr std::size_t kMostRequestBytes = 256;

struct Address {
  sockaddr_un value{};
  socklen_t size = 0;
};

/// An abstract name: a NUL byte first, and a length instead of an end.
Address make_address(pid_t pid, bool shares_need) {
  Address address;
  address.value.sun_family = AF_UNIX;
  const std::string name =
      fmt::format("{}{}{}", kStatusNamePrefix, pid, shares_need ? "" : kStatusNameWatching);
  std::memcpy(address.value.sun_path + 1, name.data(), name.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

const sockaddr* as_sockaddr(const Address& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address.value));
}

void set_timeouts(int fd) {
  const timeval two_seconds{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &two_seconds, sizeof two_seconds);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &two_seconds, sizeof two_seconds);
}

bool connect_to(int fd, pid_t pid) {
  for (const bool shares_need : {true, false}) {
    const Address address = make_address(pid, shares_need);
    if (::connect(fd, as_sockaddr(address), address.size) == 0) return true;
  }
  return false;
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Up to the line feed, the end, the time limit or the most that a request can have.
std::string receive_request(int fd) {
  std::string request;
  std::array<char, kMostRequestBytes> buffer;
  while (request.size() < kMostRequestBytes && request.find('\n') == std::string::npos) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size() - request.size(), 0);
    if (n <= 0) break;
    request.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return request.substr(0, request.find('\n'));
}

bool may_ask(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

std::unexpected<Error> fail_here(pid_t pid, std::string what) {
  return fail(ErrorCode::io, std::move(what), fmt::format("@{}{}", kStatusNamePrefix, pid), errno);
}

}  // namespace

Result<std::unique_ptr<StatusServer>> StatusServer::start(pid_t pid, bool shares_need,
                                                          MakeAnswer make_answer) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return fail_here(pid, "cannot open the status socket");
  const Address address = make_address(pid, shares_need);
  if (::bind(listener, as_sockaddr(address), address.size) != 0 || ::listen(listener, 8) != 0) {
    auto error = fail_here(pid, "cannot listen on the status socket");
    ::close(listener);
    return error;
  }
  const int stop = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop < 0) {
    auto error = fail_here(pid, "cannot make the status thread's stop event");
    ::close(listener);
    return error;
  }
  return std::unique_ptr<StatusServer>(new StatusServer(listener, stop, std::move(make_answer)));
}

StatusServer::StatusServer(int listener, int stop, MakeAnswer make_answer)
    : listener_(listener), stop_(stop), make_answer_(std::move(make_answer)) {
  thread_ = std::thread([this] { serve(); });
}

StatusServer::~StatusServer() {
  const std::uint64_t one = 1;
  if (::write(stop_, &one, sizeof one) < 0) ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
  ::close(stop_);
}

void StatusServer::serve() {
  std::array<pollfd, 2> watched{pollfd{listener_, POLLIN, 0}, pollfd{stop_, POLLIN, 0}};
  while (true) {
    const int ready = ::poll(watched.data(), watched.size(), -1);
    if (ready < 0 && errno != EINTR) return;
    if (watched[1].revents != 0 || (watched[0].revents & (POLLERR | POLLHUP)) != 0) return;
    if (ready > 0 && watched[0].revents != 0) answer_one();
  }
}

void StatusServer::answer_one() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  if (may_ask(client)) {
    set_timeouts(client);
    send_all(client, make_answer_(receive_request(client)) + "\n");
  }
  ::close(client);
}

Result<std::vector<pid_t>> find_status_servers(const std::string& unix_table) {
  std::ifstream file(unix_table);
  if (!file) return fail(ErrorCode::io, "cannot read the table of unix sockets", unix_table, errno);
  std::vector<pid_t> pids;
  for (std::string line; std::getline(file, line);) {
    if (const auto process = parse_status_name(line)) pids.push_back(process->pid);
  }
  std::ranges::sort(pids);
  pids.erase(std::ranges::unique(pids).begin(), pids.end());
  return pids;
}

Result<std::string> ask_status(pid_t pid, std::string_view request) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_here(pid, "cannot open a socket");
  set_timeouts(fd);
  if (!connect_to(fd, pid)) {
    ::close(fd);
    return fail(ErrorCode::not_found, fmt::format("no governed run has process id {}", pid));
  }
  // A server that turns us away may have closed its end already; its empty answer says so below.
  send_all(fd, fmt::format("{}\n", request));
  std::string line;
  std::array<char, 4096> buffer;
  ssize_t n = 0;
  while ((n = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
    line.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(fd);
  if (n < 0) return fail_here(pid, "the process does not answer");
  if (line.empty()) {
    return fail(ErrorCode::permission,
                fmt::format("process {} belongs to another user; ask as that user or root", pid));
  }
  while (line.ends_with('\n')) line.pop_back();
  return line;
}

}  // namespace kvpsi
