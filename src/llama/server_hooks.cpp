// SPDX-License-Identifier: MIT
// See server_hooks.h. The symbols are those of the Itanium ABI: `this` is the first argument.
#include "llama/server_hooks.h"

#include <type_traits>
#include <utility>

#include "linux/client_sockets.h"
#include "server-context.h"
#include "server-http.h"

namespace {

std::function<bool()>& ready_hook() {
  static std::function<bool()> hook;
  return hook;
}

static_assert(std::is_same_v<decltype(&server_context::start_loop), void (server_context::*)()>);
static_assert(
    std::is_same_v<decltype(&server_http_context::stop), void (server_http_context::*)() const>);

}  // namespace

extern "C" {

void __real__ZN14server_context10start_loopEv(server_context* self);

/// The call returns when the server is asked to end, so not making it ends the server.
void __wrap__ZN14server_context10start_loopEv(server_context* self) {
  if (ready_hook() && !ready_hook()()) return;
  __real__ZN14server_context10start_loopEv(self);
}

void __real__ZNK19server_http_context4stopEv(const server_http_context* self);

/// The server ends by waiting for its requests, which wait for results that no longer come until
/// their clients hang up. So they seem to.
void __wrap__ZNK19server_http_context4stopEv(const server_http_context* self) {
  kvpsi::hang_up_on_clients();
  __real__ZNK19server_http_context4stopEv(self);
}

}  // extern "C"

namespace kvpsi {

void set_ready_hook(std::function<bool()> hook) { ready_hook() = std::move(hook); }

}  // namespace kvpsi
