// SPDX-License-Identifier: MIT
// The routes under /kvpsi/, pure: a request and a host give a response, whatever server carries
// them. They keep to llama-server's shape of errors. Next hops: state.h, metrics.h; the server's
// hooks register the table behind its API key.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/snapshot.h"

namespace kvpsi {

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// What routes show and change. All calls from any thread; none waits for the engine.
class RouteHost {
 public:
  virtual ~RouteHost() = default;
  virtual ServerSnapshot snapshot() const = 0;
  /// Asks the governor to give back what is free, once, now. False: no governor runs.
  virtual bool give_back() = 0;
  /// Pauses or resumes governing; nothing where it is so already. False: no governor runs.
  virtual bool set_paused(bool paused) = 0;
};

enum class Method : std::uint8_t { get, post };

struct Route {
  Method method = Method::get;
  std::string_view path;
  HttpResponse (*answer)(RouteHost& host) = nullptr;
};

/// All of them: GET state, metrics, live, ready; POST give-back, pause, resume.
std::span<const Route> routes();

/// The same, but never throws: an error inside becomes 500.
HttpResponse answer(const Route& route, RouteHost& host) noexcept;

/// 503 with Retry-After, for new work that is not admitted. `admission` refuses.
HttpResponse make_refusal(const Admission& admission);

/// An error in llama-server's shape, {"error":{"code","message","type"}}.
HttpResponse make_error(int status, std::string_view type, std::string_view message);

/// Whether a path, without the server's prefix, begins new work that fills the KV cache.
bool is_work(std::string_view path);

}  // namespace kvpsi
