// SPDX-License-Identifier: MIT
// See server_hooks.h. The symbols are those of the Itanium ABI: `this` is the first argument. Next
// hop: llama-server's tools/server/server-http.h.
#include "llama/server_hooks.h"

#include <memory>
#include <type_traits>

#include "linux/client_sockets.h"
#include "llama/server_prompt_cache.h"
#include "server-context.h"
#include "server-http.h"

namespace {

using kvpsi::mark_document;
using kvpsi::RequestNote;
using kvpsi::RequestScope;
using kvpsi::ServerHost;
using kvpsi::ServerResponse;
using kvpsi::ServerRoute;
using kvpsi::TrimWish;
using Handler = server_http_context::handler_t;

ServerHost* host = nullptr;

static_assert(std::is_same_v<decltype(&server_context::start_loop), void (server_context::*)()>);
static_assert(
    std::is_same_v<decltype(&server_http_context::start), bool (server_http_context::*)()>);
static_assert(
    std::is_same_v<decltype(&server_http_context::stop), void (server_http_context::*)() const>);
static_assert(
    std::is_same_v<decltype(&server_http_context::post),
                   void (server_http_context::*)(const std::string&, const Handler&) const>);

server_http_res_ptr to_result(ServerResponse response) {
  auto result = std::make_unique<server_http_res>();
  result->status = response.status;
  result->content_type = std::move(response.content_type);
  result->data = std::move(response.body);
  for (auto& [name, value] : response.headers) result->headers[name] = std::move(value);
  return result;
}

Handler make_handler(const ServerRoute& route) {
  return [answer = route.answer](const server_http_req&) { return to_result(answer()); };
}

/// Work that was admitted, until its response is gone.
class Work {
 public:
  explicit Work(const TrimWish& wish) : note_(std::make_shared<RequestNote>(wish)) {}
  ~Work() { host->on_work_ended(note_->is_reduced()); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  const std::shared_ptr<RequestNote>& note() const { return note_; }

 private:
  const std::shared_ptr<RequestNote> note_;
};

/// The handler behind a gate. What it answers is passed on as it is, marked where its context was
/// reduced; a stream, whose headers leave before its first token, keeps its work.
Handler admit_first(const Handler& handler) {
  return [handler](const server_http_req& request) -> server_http_res_ptr {
    auto admitted = host->admit(request.body, request.should_stop);
    if (!admitted) return to_result(std::move(admitted.error()));
    const auto work = std::make_shared<Work>(*admitted);
    const RequestScope scope(work->note());
    server_http_res_ptr result = handler(request);
    if (result != nullptr && result->next == nullptr && work->note()->is_reduced()) {
      result->headers["X-KVPSI-Context"] = "reduced";
      mark_document(result->data, *work->note());
    }
    if (result != nullptr && result->next != nullptr) {
      result->next = [work, next = std::move(result->next)](std::string& out) { return next(out); };
    }
    return result;
  };
}

}  // namespace

// The linker's names for the functions wrapped, see cmake/wraps.cmake.
#define KVPSI_START_LOOP "_ZN14server_context10start_loopEv"
#define KVPSI_HTTP_START "_ZN19server_http_context5startEv"
#define KVPSI_HTTP_STOP "_ZNK19server_http_context4stopEv"
#define KVPSI_HTTP_POST                                                                 \
  "_ZNK19server_http_context4postERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIc"  \
  "EEERKSt8functionIFSt10unique_ptrI15server_http_resSt14default_deleteISA_EERK15serve" \
  "r_http_reqEE"

void real_start_loop(server_context* self) __asm__("__real_" KVPSI_START_LOOP);
bool real_start(server_http_context* self) __asm__("__real_" KVPSI_HTTP_START);
void real_stop(const server_http_context* self) __asm__("__real_" KVPSI_HTTP_STOP);
void real_post(const server_http_context* self, const std::string& path,
               const Handler& handler) __asm__("__real_" KVPSI_HTTP_POST);

void wrap_start_loop(server_context* self) __asm__("__wrap_" KVPSI_START_LOOP);
bool wrap_start(server_http_context* self) __asm__("__wrap_" KVPSI_HTTP_START);
void wrap_stop(const server_http_context* self) __asm__("__wrap_" KVPSI_HTTP_STOP);
void wrap_post(const server_http_context* self, const std::string& path,
               const Handler& handler) __asm__("__wrap_" KVPSI_HTTP_POST);

/// The call returns when the server is asked to end, so not making it ends the server.
void wrap_start_loop(server_context* self) {
  if (host == nullptr || host->on_ready()) real_start_loop(self);
  // What the loop used is freed from here on.
  if (kvpsi::PromptCachePool* const pool = kvpsi::prompt_cache_pool()) pool->stand_back();
}

/// The server's own routes are there, and nobody has asked for one yet.
bool wrap_start(server_http_context* self) {
  if (host == nullptr) return real_start(self);
  for (const ServerRoute& route : host->own_routes()) {
    if (route.is_post) {
      self->post(route.path, make_handler(route));
    } else {
      self->get(route.path, make_handler(route));
    }
  }
  return real_start(self);
}

/// The server ends by waiting for its requests, which wait for results that no longer come until
/// their clients hang up. So they seem to. A router calls this from a signal handler.
void wrap_stop(const server_http_context* self) {
  kvpsi::hang_up_on_clients();
  real_stop(self);
}

void wrap_post(const server_http_context* self, const std::string& path, const Handler& handler) {
  const bool is_work = host != nullptr && host->is_work(path);
  real_post(self, path, is_work ? admit_first(handler) : handler);
}

namespace kvpsi {

void set_server_host(ServerHost* new_host) { host = new_host; }

}  // namespace kvpsi
