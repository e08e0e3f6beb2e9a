// SPDX-License-Identifier: MIT
// Tells in a file where a run stands (`--phases FILE`). Must not fail a run that is under way: who
// waits for a line that could not be written has its own patience. Next hop: bench/run_phase.h, the
// lines; cmd_run_session enters the phases.
#pragma once

#include <string>

#include "base/result.h"
#include "bench/run_phase.h"

namespace kvpsi {

/// One thread.
class PhaseLog {
 public:
  PhaseLog() = default;
  ~PhaseLog();
  PhaseLog(const PhaseLog&) = delete;
  PhaseLog& operator=(const PhaseLog&) = delete;

  /// Creates or empties the file; without a path nothing is written. Errors: io, with the path.
  Result<void> open(const std::string& path);

  void enter(RunPhase phase);

 private:
  int fd_ = -1;
};

}  // namespace kvpsi
