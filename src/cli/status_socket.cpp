// SPDX-License-Identifier: MIT
// The answering end of the status socket; see status_socket.h.
#include "cli/status_socket.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "cli/status_answer.h"
#include "cli/status_transfer.h"
#include "linux/process.h"

namespace kvpsi {
namespace {

constexpr std::size_t kMostRequestBytes = 256;
constexpr std::uint64_t kRequestUs = 1'000'000;
constexpr std::uint64_t kExchangeUs = 2'000'000;
/// How long to leave a client waiting for whom there is no descriptor.
constexpr int kNoDescriptorMs = 100;

bool may_ask(int fd) {
  const auto client = read_other_end(fd);
  return client && (client->uid == 0 || client->uid == ::geteuid());
}

/// What was cut short must not be carried out: "kv-soft-max 1" may begin "kv-soft-max 1GiB".
Error refuse_request(TransferEnd end) {
  std::string what = end == TransferEnd::too_long
                         ? fmt::format("a request has at most {} bytes", kMostRequestBytes)
                         : std::string("a request ends with a line feed, this one does not");
  return Error{ErrorCode::invalid_argument, std::move(what) + "; nothing was changed", {}, 0};
}

Error explain_bind(const StatusAddress& address, int reason) {
  if (reason != EADDRINUSE) {
    return Error{ErrorCode::io, "cannot listen on the status socket", address.words(), reason};
  }
  return Error{ErrorCode::io,
               "another process has taken this name: a stranger, or one with the same id in "
               "another PID namespace",
               address.words(), reason};
}

}  // namespace

Result<std::unique_ptr<StatusServer>> StatusServer::start(pid_t pid, bool shares_need,
                                                          MakeAnswer make_answer) {
  const StatusAddress address(
      {.pid = pid, .shares_need = shares_need, .pid_namespace = read_pid_namespace().value_or(0)});
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.is_open()) {
    return fail(ErrorCode::io, "cannot open the status socket", address.words(), errno);
  }
  if (::bind(listener.get(), address.get(), address.size()) != 0 ||
      ::listen(listener.get(), 8) != 0) {
    return std::unexpected(explain_bind(address, errno));
  }
  const int stop = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop < 0) {
    return fail(ErrorCode::io, "cannot make the status thread's stop event", address.words(),
                errno);
  }
  return std::unique_ptr<StatusServer>(
      new StatusServer(std::move(listener), UniqueFd(stop), std::move(make_answer)));
}

StatusServer::StatusServer(UniqueFd listener, UniqueFd stop, MakeAnswer make_answer)
    : listener_(std::move(listener)), stop_(std::move(stop)), make_answer_(std::move(make_answer)) {
  thread_ = std::thread([this] { serve(); });
}

StatusServer::~StatusServer() {
  const std::uint64_t one = 1;
  if (::write(stop_.get(), &one, sizeof one) < 0) ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

void StatusServer::serve() {
  std::array<pollfd, 2> watched{pollfd{listener_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
  while (true) {
    const int ready = ::poll(watched.data(), watched.size(), -1);
    if (ready < 0 && errno != EINTR) return;
    if (ready <= 0) continue;
    if (watched[1].revents != 0 || (watched[0].revents & (POLLERR | POLLHUP)) != 0) return;
    if (watched[0].revents != 0) accept_one();
  }
}

void StatusServer::accept_one() {
  const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (client.is_open()) {
    if (may_ask(client.get())) answer(client.get());
    return;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
  pollfd stop{stop_.get(), POLLIN, 0};
  ::poll(&stop, 1, kNoDescriptorMs);
}

void StatusServer::answer(int client) {
  const std::uint64_t start_us = monotonic_us();
  std::string request;
  const TransferEnd end =
      receive_line(client, kMostRequestBytes, {start_us + kRequestUs, stop_.get()}, request);
  if (end == TransferEnd::stopped) return;
  const bool is_whole = end == TransferEnd::done || request.empty();
  const std::string line =
      is_whole ? make_answer_(request) : make_error_answer(refuse_request(end));
  send_text(client, line + "\n", {start_us + kExchangeUs, stop_.get()});
}

}  // namespace kvpsi
