// SPDX-License-Identifier: MIT
// See stop_flag.h.
#include "cli/stop_flag.h"

#include <signal.h>

#include <atomic>

namespace kvpsi {
namespace {

std::atomic<bool> g_stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) { g_stop.store(true); }

}  // namespace

void install_stop_flag() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool stop_asked() { return g_stop.load(); }

}  // namespace kvpsi
