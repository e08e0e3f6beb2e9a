// SPDX-License-Identifier: MIT
// The entry of kvpsi-server, which `kvpsi serve` starts: llama-server with its own command line,
// ours taken out first. Router mode starts this program again for each model, with llama-server's
// words alone; ours reach it by the environment. Next hops: cmd_serve_options.h,
// cmd_serve_session.h, llama/server_hooks.h.
#include <fmt/core.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/cmd_serve_options.h"
#include "cli/cmd_serve_session.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "llama/server_hooks.h"
#include "llama/server_prompt_cache.h"
#include "llama/server_responses.h"
#include "serve/routes.h"

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
  int run(const std::vector<std::string>& more = {}) {
    std::vector<std::string> added = more;
    argv_.pop_back();
    for (std::string& word : added) argv_.push_back(word.data());
    argv_.push_back(nullptr);
    return llama_server(static_cast<int>(argv_.size() - 1), argv_.data());
  }

 private:
  std::vector<std::string> words_;
  std::vector<char*> argv_;
};

ServerResponse to_server(HttpResponse response) {
  return {response.status, std::move(response.content_type), std::move(response.headers),
          std::move(response.body)};
}

/// What llama-server's hooks ask, answered by the session.
class Host final : public ServerHost {
 public:
  explicit Host(ServeSession& session) : session_(session) {}

  bool on_ready() override {
    std::vector<std::string> problems;
    if (!slots_were_seen()) {
      problems.emplace_back("llama-server's slots are not seen: nothing is trimmed");
    }
    return session_.on_ready(problems);
  }
  std::vector<ServerRoute> own_routes() override {
    std::vector<ServerRoute> out;
    for (const Route& route : routes()) {
      out.push_back({route.method == Method::post, std::string(route.path),
                     [this, &route] { return to_server(answer(route, session_.http())); }});
    }
    return out;
  }
  bool is_work(const std::string& path) override { return kvpsi::is_work(path); }
  std::expected<TrimWish, ServerResponse> admit(std::string_view body,
                                                const std::function<bool()>& is_gone) override {
    try {
      auto wish = session_.http().begin_work(body, is_gone);
      if (!wish) return std::unexpected(to_server(std::move(wish.error())));
      return TrimWish{.is_allowed = wish->trim,
                      .priority = static_cast<std::int16_t>(wish->priority)};
    } catch (...) {  // no memory for the words of a refusal
      return std::unexpected(
          ServerResponse{.status = 503, .content_type = "text/plain", .headers = {}, .body = {}});
    }
  }
  void on_work_ended(bool is_reduced) override { session_.http().end_work(is_reduced); }

 private:
  ServeSession& session_;
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
  ServeSession session(*arguments, make_prompt_cache_pool);
  Host host(session);
  set_server_host(&host);
  const auto code =
      session.run([&server](const std::vector<std::string>& more) { return server.run(more); });
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
