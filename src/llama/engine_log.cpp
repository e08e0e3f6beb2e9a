// SPDX-License-Identifier: MIT
// See engine_log.h.
#include "llama/engine_log.h"

#include <llama.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>

namespace kvpsi {
namespace {

struct LogState {
  std::mutex mutex;
  bool verbose = false;
  std::string first_error;
};

LogState& log_state() {
  static LogState state;
  return state;
}

/// "llama_model_load: error loading model: x\n" -> "error loading model: x".
std::string_view strip_line(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  const std::size_t colon = line.find(": ");
  if (colon != std::string_view::npos &&
      line.substr(0, colon).find(' ') == std::string_view::npos) {
    line.remove_prefix(colon + 2);
  }
  return line;
}

void on_log(ggml_log_level level, const char* text, void* /*user*/) {
  LogState& state = log_state();
  const std::lock_guard lock(state.mutex);
  if (level == GGML_LOG_LEVEL_ERROR && state.first_error.empty()) {
    state.first_error = strip_line(text);
  }
  if (state.verbose && ::write(STDERR_FILENO, text, std::strlen(text)) < 0) state.verbose = false;
}

}  // namespace

void capture_llama_log(bool verbose) {
  {
    const std::lock_guard lock(log_state().mutex);
    log_state().verbose = verbose;
  }
  llama_log_set(on_log, nullptr);
}

std::string take_llama_error() {
  const std::lock_guard lock(log_state().mutex);
  return std::exchange(log_state().first_error, {});
}

}  // namespace kvpsi
