// SPDX-License-Identifier: MIT
// See status_client.h.
#include "cli/status_client.h"

#include <fmt/core.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>

#include "base/clock.h"
#include "cli/status_transfer.h"
#include "linux/fd.h"
#include "linux/process.h"

namespace kvpsi {
namespace {

/// How long connect(2) may wait for a listener whose queue is full.
void limit_connect(int fd, std::uint64_t deadline_us) {
  constexpr std::uint64_t kMostUs = 1'000'000;
  const std::uint64_t now_us = monotonic_us();
  const std::uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
  const auto wait_us = std::clamp<std::uint64_t>(left_us, 1'000, kMostUs - 1);
  const timeval wait{.tv_sec = 0, .tv_usec = static_cast<suseconds_t>(wait_us)};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

std::unexpected<Error> refuse_other_user(pid_t pid) {
  return fail(ErrorCode::permission,
              fmt::format("process {} belongs to another user; ask as that user or root", pid));
}

/// The kernel says who listens; the name says nothing, anybody may take it.
Result<void> check_listener(int fd, pid_t pid) {
  const auto listener = read_other_end(fd);
  if (!listener || listener->pid != pid) {
    const std::string who = !listener || listener->pid == 0
                                ? std::string("a process of another PID namespace")
                                : fmt::format("process {}", listener->pid);
    return fail(ErrorCode::permission,
                fmt::format("{} listens in the name of process {}; it is not asked", who, pid));
  }
  const uid_t own = ::geteuid();
  if (own != 0 && listener->uid != 0 && listener->uid != own) return refuse_other_user(pid);
  return {};
}

Result<UniqueFd> connect_to(const ListedProcess& process, std::uint64_t deadline_us) {
  const StatusAddress address(process);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return fail(ErrorCode::io, "cannot open a socket", address.words(), errno);
  limit_connect(fd.get(), deadline_us);
  if (::connect(fd.get(), address.get(), address.size()) != 0) {
    const int reason = errno;
    if (reason != ECONNREFUSED) {
      return fail(ErrorCode::io, "cannot reach the process", address.words(), reason);
    }
    return fail(ErrorCode::not_found,
                fmt::format("no governed run has process id {}", process.pid));
  }
  if (auto checked = check_listener(fd.get(), process.pid); !checked) {
    return std::unexpected(checked.error());
  }
  return fd;
}

/// Under one of its two names; of two failures the one that says more.
Result<UniqueFd> connect_to_process(pid_t pid, std::uint64_t deadline_us) {
  ListedProcess process{
      .pid = pid, .shares_need = true, .pid_namespace = read_pid_namespace().value_or(0)};
  auto first = connect_to(process, deadline_us);
  if (first) return first;
  process.shares_need = false;
  auto second = connect_to(process, deadline_us);
  if (second || first.error().code == ErrorCode::not_found) return second;
  return first;
}

}  // namespace

Result<std::vector<pid_t>> find_status_servers(const std::string& unix_table,
                                               std::uint64_t pid_namespace) {
  std::ifstream file(unix_table);
  if (!file) return fail(ErrorCode::io, "cannot read the table of unix sockets", unix_table, errno);
  std::vector<pid_t> pids;
  for (std::string line; std::getline(file, line);) {
    const auto process = parse_status_name(line);
    if (process && process->is_of_namespace(pid_namespace)) pids.push_back(process->pid);
  }
  std::ranges::sort(pids);
  pids.erase(std::ranges::unique(pids).begin(), pids.end());
  return pids;
}

Result<std::string> ask_status(pid_t pid, std::string_view request, std::uint64_t within_us) {
  const TransferBounds bounds{.deadline_us = monotonic_us() + within_us};
  const auto fd = connect_to_process(pid, bounds.deadline_us);
  if (!fd) return std::unexpected(fd.error());
  // A server that turns us away may have closed its end already; its empty answer says so below.
  send_text(fd->get(), fmt::format("{}\n", request), bounds);
  std::string line;
  switch (receive_line(fd->get(), kMostAnswerBytes, bounds, line)) {
    case TransferEnd::done:
      return line;
    case TransferEnd::too_long:
      return fail(ErrorCode::malformed, fmt::format("process {} answers without an end", pid));
    case TransferEnd::closed:
      if (line.empty()) return refuse_other_user(pid);
      return fail(ErrorCode::io, fmt::format("the answer of process {} is cut off", pid));
    case TransferEnd::timed_out:
    case TransferEnd::stopped:
      break;
  }
  return fail(ErrorCode::io, fmt::format("process {} does not answer in time", pid));
}

}  // namespace kvpsi
