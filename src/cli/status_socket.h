// SPDX-License-Identifier: MIT
// The socket that a governed process answers `kvpsi status` on: an abstract unix socket named after
// the process (linux/status_name.h), with "-watching" in the name of one that gives up nothing
// sized by need, so that others do not count on it (linux/peers.h). It vanishes with the process.
// One connection = one line asked, one JSON line answered, then the end. Must not touch the engine:
// the answer is made from published snapshots. Next hops: status_request (what can be asked),
// status_transfer (the bounds), status_client (the other end).
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "linux/fd.h"

namespace kvpsi {

/// Serves one process's status on its own thread, which sleeps in poll(2) between clients.
class StatusServer {
 public:
  /// Makes the line to answer `request` with (no newline); an empty request asks for the status.
  /// Called on the server thread.
  using MakeAnswer = std::function<std::string(std::string_view request)>;

  /// Opens the socket and starts the thread. `shares_need`: this process gives up context when
  /// memory is short, so the others may leave it its share. Clients of another user than ours or
  /// root are turned away (SO_PEERCRED). A client has two seconds from its connection to the last
  /// byte of the answer, of which one for its request: who asks nothing in it gets the status, but
  /// a request without its line feed, or of more than 256 bytes, is answered with an error and
  /// never carried out. Errors: io (no unix sockets, name taken, no descriptors).
  static Result<std::unique_ptr<StatusServer>> start(pid_t pid, bool shares_need,
                                                     MakeAnswer make_answer);

  /// Ends the thread at once, also while a client is being served.
  ~StatusServer();
  StatusServer(const StatusServer&) = delete;
  StatusServer& operator=(const StatusServer&) = delete;

 private:
  StatusServer(UniqueFd listener, UniqueFd stop, MakeAnswer make_answer);
  void serve();
  void accept_one();
  void answer(int client);

  UniqueFd listener_;
  UniqueFd stop_;
  MakeAnswer make_answer_;
  std::thread thread_;
};

}  // namespace kvpsi
