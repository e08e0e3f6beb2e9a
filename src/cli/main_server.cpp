// SPDX-License-Identifier: MIT
// The entry of kvpsi-server, which `kvpsi serve` starts: llama-server with its own command line,
// ours taken out first. Router mode starts this program again for each model, with llama-server's
// words alone; ours reach it by the environment. Next hops: cmd_serve_options.h,
// cmd_serve_session.h, llama/server_hooks.h.
#include <fmt/core.h>

#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "cli/cmd_serve_options.h"
#include "cli/cmd_serve_session.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "llama/server_hooks.h"

namespace kvpsi {
namespace {

/// llama-server's command line as it expects it: ends with a null pointer.
class ServerWords {
 public:
  ServerWords(const std::string& program, const std::vector<std::string>& words) : words_{program} {
    words_.insert(words_.end(), words.begin(), words.end());
    for (std::string& word : words_) argv_.push_back(word.data());
    argv_.push_back(nullptr);
  }
  int run() { return llama_server(static_cast<int>(words_.size()), argv_.data()); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> argv_;
};

int run_server(const std::string& program, const std::vector<std::string>& words) {
  const auto arguments = split_serve_arguments(words);
  if (!arguments) {
    print_error("serve", arguments.error().what + "; `kvpsi serve --help` explains the options");
    return exit_code(arguments.error().code);
  }
  ServerWords server(program, arguments->server);
  if (arguments->asks_for_help || arguments->asks_for_version) {
    fmt::print("{}\n", arguments->asks_for_help ? serve_help() : "kvpsi " KVPSI_VERSION);
    std::fflush(stdout);
    return server.run();
  }
  for (const auto& [name, value] : arguments->environment) ::setenv(name.c_str(), value.c_str(), 1);
  ServeSession session(*arguments);
  set_ready_hook([&session] { return session.on_ready(); });
  const auto code = session.run([&server] { return server.run(); });
  return code ? *code : report_error("serve", code.error());
}

}  // namespace
}  // namespace kvpsi

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    return kvpsi::run_server(argc > 0 ? argv[0] : "kvpsi-server", words);
  } catch (const std::exception& error) {
    kvpsi::print_error("serve", error.what());
    return kvpsi::kExitMachine;
  }
}
