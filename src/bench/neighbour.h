// SPDX-License-Identifier: MIT
// The neighbour of a trial as a process: start, wait until it has all its memory, stop, and read
// its rounds. Next hop: run_trial.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/child.h"
#include "bench/round_log.h"
#include "bench/run_trial.h"

namespace kvpsi {

/// A running `kvpsi press`. Movable.
class Neighbour {
 public:
  /// Errors: as Child::start.
  static Result<Neighbour> start(const TrialHost& host, const PressSpec& spec,
                                 const std::vector<std::string>& join_files, double for_s,
                                 const std::string& stem);

  /// Waits for its first full round. Errors: cancelled, busy (60 s are over), or what it said when
  /// it ended instead.
  Result<void> wait_ready(const TrialHost& host);

  /// How it ended, empty while it runs.
  std::optional<ChildExit> poll() { return child_.poll(); }

  /// Ends it and reads its rounds; none where it was killed. Errors: malformed.
  Result<std::vector<Round>> stop();

 private:
  Neighbour(Child child, std::string stem) : child_(std::move(child)), stem_(std::move(stem)) {}
  Child child_;
  std::string stem_;  ///< path without ending
};

/// The first line of a file, for messages; empty where there is none.
std::string first_line_of(const std::string& path);

}  // namespace kvpsi
