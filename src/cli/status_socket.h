// SPDX-License-Identifier: MIT
// The socket that a governed process answers `kvpsi status` on: abstract unix socket
// "@kvpsi-<pid>", or "@kvpsi-<pid>-watching" for a process that gives up nothing sized by need, so
// that others do not count on it (linux/peers.h). It vanishes with the process. One connection =
// one line asked, one JSON line answered, then the end. Must not touch the engine: the answer is
// made from published snapshots. Next hops: status_request (what can be asked), cmd_status.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// Serves one process's status on its own thread, which sleeps in poll(2) between clients.
class StatusServer {
 public:
  /// Makes the line to answer `request` with (no newline); an empty request asks for the status.
  /// Called on the server thread.
  using MakeAnswer = std::function<std::string(std::string_view request)>;

  /// Opens the socket and starts the thread. `shares_need`: this process gives up context when
  /// memory is short, so the others may leave it its share. Clients of another user than ours or
  /// root are turned away (SO_PEERCRED); one that asks nothing for two seconds gets the status.
  /// Errors: io (no unix sockets, name taken, no descriptors).
  static Result<std::unique_ptr<StatusServer>> start(pid_t pid, bool shares_need,
                                                     MakeAnswer make_answer);

  ~StatusServer();
  StatusServer(const StatusServer&) = delete;
  StatusServer& operator=(const StatusServer&) = delete;

 private:
  StatusServer(int listener, int stop, MakeAnswer make_answer);
  void serve();
  void answer_one();

  int listener_;
  int stop_;
  MakeAnswer make_answer_;
  std::thread thread_;
};

/// The processes that listen, found in `unix_table` (/proc/net/unix), ascending. Errors: io.
Result<std::vector<pid_t>> find_status_servers(const std::string& unix_table = "/proc/net/unix");

/// Asks one process with a line of status_request.h. Errors: not_found (nobody listens),
/// permission (turned away), io (no answer within two seconds).
Result<std::string> ask_status(pid_t pid, std::string_view request = "status");

}  // namespace kvpsi
