// SPDX-License-Identifier: MIT
// What both ends of the status socket share: its address, who is at the other end, and lines that
// are sent and received within bounds. Must trust nobody: the other end may be slow, silent,
// endless or a stranger. Next hops: status_socket (answers), status_client (asks).
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "linux/status_name.h"

namespace kvpsi {

/// The abstract address of a process: a NUL byte first, and a length instead of an end.
class StatusAddress {
 public:
  explicit StatusAddress(const ListedProcess& process);
  const sockaddr* get() const;
  socklen_t size() const { return size_; }
  /// "@kvpsi-42-ns4026531836", for messages.
  std::string words() const;

 private:
  sockaddr_un value_{};
  socklen_t size_ = 0;
};

/// Who made the other end (SO_PEERCRED), as the kernel knows it; empty where it does not tell.
std::optional<ucred> read_other_end(int fd);

/// How a transfer ended.
enum class TransferEnd : std::uint8_t { done, closed, too_long, timed_out, stopped };

/// When a transfer ends at the latest, however it goes.
struct TransferBounds {
  std::uint64_t deadline_us = 0;  ///< CLOCK_MONOTONIC
  int stop_fd = -1;               ///< readable: end at once; -1: none
};

/// Receives into `line` up to the line feed, which is left out. `closed` is the end of the stream
/// or an error; `line` then holds what came before. A longer line than `most_bytes` is `too_long`.
TransferEnd receive_line(int fd, std::size_t most_bytes, const TransferBounds& bounds,
                         std::string& line);

/// Sends all of `text`. Raises no SIGPIPE.
TransferEnd send_text(int fd, std::string_view text, const TransferBounds& bounds);

}  // namespace kvpsi
