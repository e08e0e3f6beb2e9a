// SPDX-License-Identifier: MIT
// The socket that a governed process answers `kvpsi status` on: abstract unix socket
// "@kvpsi-<pid>", which vanishes with the process. One connection = one JSON line, then the end.
// Must not touch the engine: the answer is made from published snapshots. Next hop: cmd_status.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// Serves one process's status on its own thread, which sleeps in poll(2) between clients.
class StatusServer {
 public:
  /// Makes the line to answer with (no newline). Called on the server thread.
  using MakeAnswer = std::function<std::string()>;

  /// Opens "@kvpsi-<pid>" and starts the thread. Clients of another user than ours or root are
  /// turned away (SO_PEERCRED). Errors: io (no unix sockets, name taken, no descriptors).
  static Result<std::unique_ptr<StatusServer>> start(pid_t pid, MakeAnswer make_answer);

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

/// Asks one process. Errors: not_found (nobody listens), permission (turned away), io (no answer
/// within two seconds).
Result<std::string> ask_status(pid_t pid);

}  // namespace kvpsi
