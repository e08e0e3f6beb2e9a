// SPDX-License-Identifier: MIT
// Where the model is that `make model` fetches. Reads the environment; next hop: cmd_bench.
#pragma once

#include <string>

namespace kvpsi {

/// $KVPSI_CACHE, else $XDG_CACHE_HOME/kvpsi, else ~/.cache/kvpsi, and in it
/// models/SmolLM2-135M-Instruct.Q4_1.gguf. The same rule as scripts/fetch.sh.
std::string cached_model_path();

}  // namespace kvpsi
