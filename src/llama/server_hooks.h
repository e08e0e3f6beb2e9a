// SPDX-License-Identifier: MIT
// Where we stand in llama-server: its main, and hooks on functions of its libraries, linked into
// kvpsi-server alone (cmake/server.cmake). Contexts, memory and decodes are wrapped in wraps_*.cpp
// for every program. Next hop: cli/main_server.cpp.
#pragma once

#include <functional>

/// llama-server from its command line to its exit code, as its own main calls it.
int llama_server(int argc, char** argv);

namespace kvpsi {

/// Called on the main thread when the model is loaded and the server is about to serve. False: it
/// shuts down instead. Set before llama_server().
void set_ready_hook(std::function<bool()> hook);

}  // namespace kvpsi
