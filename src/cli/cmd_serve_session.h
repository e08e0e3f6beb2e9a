// SPDX-License-Identifier: MIT
// One governed llama-server from its start to its end: what is made before it, what runs beside it,
// what is said of it. Next hops: llama/governed_contexts.h, governor_thread.h, main_server.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "cli/cmd_serve_http.h"
#include "cli/cmd_serve_options.h"
#include "cli/governor_thread.h"
#include "cli/status_answer.h"
#include "cli/status_socket.h"
#include "llama/governed_contexts.h"
#include "llama/host_cache.h"

namespace kvpsi {

/// Main thread only. The parts are declared in the order of their making: what stands lower ends
/// first.
class ServeSession {
 public:
  /// Runs llama-server with these words behind its own, to its exit code.
  using Server = std::function<int(const std::vector<std::string>& more)>;

  /// `arguments` outlives the session.
  ServeSession(const ServeArguments& arguments, MakeHostCache make_cache);
  ~ServeSession();
  ServeSession(const ServeSession&) = delete;
  ServeSession& operator=(const ServeSession&) = delete;

  /// Runs `server`, which returns its exit code, with its contexts governed. Errors: of every part
  /// that is made before it.
  Result<int> run(const Server& server);

  /// To be called when the model is loaded and everything that a start calls has been called, with
  /// what the host's own hooks found, a clause each. False: --psi-require is not met.
  bool on_ready(const std::vector<std::string>& hook_problems);

  /// What it says over HTTP.
  ServeHttp& http() { return http_; }

 private:
  Result<void> open();
  std::vector<std::string> bound_prompt_cache();
  bool on_context(const ContextReport& report);
  void start_beside(const ContextReport& report);
  bool gives_context() const;
  void start_status_server();
  void watch_losses(const std::stop_token& stop);
  std::vector<std::string> take_losses();
  std::vector<std::string> problems() const;
  void print_banner(const std::vector<std::string>& problems);
  void finish();
  StatusFacts facts() const;
  void say(std::string_view line) const;

  const ServeArguments& arguments_;
  const ServeOptions& options_;
  std::uint64_t start_us_ = 0;
  bool is_ready_ = false;
  ServeHttp http_;
  WeightBytes weights_;                 ///< of the first context's model
  std::vector<ContextReport> reports_;  ///< of the contexts made until it was ready
  OpenedSpill spill_;
  const MakeHostCache make_cache_;
  std::unique_ptr<HostCache> cache_;
  std::unique_ptr<GovernedContexts> contexts_;
  std::vector<MemoryPool*> pools_;
  std::unique_ptr<GovernorThread> governor_;
  std::unique_ptr<StatusServer> status_;
  std::jthread losses_;
};

}  // namespace kvpsi
