// SPDX-License-Identifier: MIT
// Ends the conversations of a server's clients, for a server that is about to end and would wait
// for them. Next hop: llama/server_hooks.cpp.
#pragma once

namespace kvpsi {

/// Shuts down, for reading, every connection that a listening socket of this process has accepted:
/// whoever reads from it next is told that the client is gone, what is still written arrives.
/// Abstract unix sockets are left alone. Returns how many there were. Any thread, and signal
/// handlers: llama-server's router calls its stop from one.
unsigned hang_up_on_clients();

}  // namespace kvpsi
