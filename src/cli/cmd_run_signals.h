// SPDX-License-Identifier: MIT
// What signals mean to `kvpsi run`. A thread of its own reads them, so that no handler interrupts
// llama.cpp. Ctrl-C once: end cleanly with the summary; twice: end at once.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.h"

namespace kvpsi {

class Governor;

/// SIGINT and SIGTERM set the stop flag, SIGUSR1 asks the governor to give back now, SIGUSR2 pauses
/// or resumes it. SIGPIPE is ignored, so that a closed stdout is a write error.
class RunSignals {
 public:
  /// Blocks the signals in this thread and all that it starts later: call it before any other
  /// thread exists. Errors: io (no descriptor left).
  static Result<std::unique_ptr<RunSignals>> start();
  ~RunSignals();
  RunSignals(const RunSignals&) = delete;
  RunSignals& operator=(const RunSignals&) = delete;

  /// True once an end was asked for; the generation watches it.
  const std::atomic<bool>& stop_flag() const { return stop_asked_; }

  /// As if SIGINT had come once.
  void ask_stop() { stop_asked_.store(true); }

  /// Whom the user signals go to; nullptr: nobody. Set it back before the governor ends.
  void set_governor(Governor* governor);

 private:
  RunSignals(int signals, int end);
  void watch();
  void take(unsigned number);

  int signals_;
  int end_;
  std::atomic<bool> stop_asked_{false};
  std::mutex mutex_;
  Governor* governor_ = nullptr;
  std::thread thread_;
};

}  // namespace kvpsi
