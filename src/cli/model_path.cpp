// SPDX-License-Identifier: MIT
// See model_path.h.
#include "cli/model_path.h"

#include <cstdlib>

namespace kvpsi {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::string cached_model_path() {
  std::string cache = variable("KVPSI_CACHE");
  if (cache.empty()) {
    const std::string home = variable("XDG_CACHE_HOME");
    cache = home.empty() ? variable("HOME") + "/.cache/kvpsi" : home + "/kvpsi";
  }
  return cache + "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

}  // namespace kvpsi
