// SPDX-License-Identifier: MIT
// Where we stand in llama-server: its main, and hooks on functions of its libraries, linked into
// kvpsi-server alone (cmake/server.cmake). Contexts, memory and decodes are wrapped in wraps_*.cpp
// for every program. Next hops: server_hooks.cpp, cli/main_server.cpp.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llama/server_responses.h"

/// llama-server from its command line to its exit code, as its own main calls it.
int llama_server(int argc, char** argv);

namespace kvpsi {

/// A whole answer to a request.
struct ServerResponse {
  int status = 200;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// A route of ours, behind the server's API key and its prefix.
struct ServerRoute {
  bool is_post = false;
  std::string path;
  std::function<ServerResponse()> answer;  ///< any thread; must not throw
};

/// Who is asked, and told. One for the process, set before llama_server().
class ServerHost {
 public:
  virtual ~ServerHost() = default;
  /// On the main thread, when the model is loaded and the server is about to serve. False: it shuts
  /// down instead. A router has no model and is not asked.
  virtual bool on_ready() = 0;
  /// Routes to add to the server's own, asked for once.
  virtual std::vector<ServerRoute> own_routes() = 0;
  /// Whether requests to this path begin work that is to be admitted.
  virtual bool is_work(const std::string& path) = 0;
  /// Whether one with this body may begin: what it asks of the governor, and on_work_ended follows;
  /// or what it is refused with. May take as long as a request may wait, less where `is_gone` says
  /// that its client has hung up. Any thread; must not throw.
  virtual std::expected<TrimWish, ServerResponse> admit(std::string_view body,
                                                        const std::function<bool()>& is_gone) = 0;
  /// Its response is over, and was made with a reduced context or not.
  virtual void on_work_ended(bool is_reduced) = 0;
};

void set_server_host(ServerHost* host);

}  // namespace kvpsi
