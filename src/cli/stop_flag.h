// SPDX-License-Identifier: MIT
// A flag that SIGINT, SIGTERM and SIGHUP set, for commands that have no thread to wait for signals
// and must not have one (a child's death signal follows the thread that started it).
#pragma once

namespace kvpsi {

/// Installs the handlers, without SA_RESTART so that sleeps end early; SIGPIPE is ignored. A second
/// signal changes nothing: cleaning up is bounded by itself.
void install_stop_flag();

/// True once a signal came. Any thread, async-signal-safe.
bool stop_asked();

}  // namespace kvpsi
