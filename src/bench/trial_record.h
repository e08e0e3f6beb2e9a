// SPDX-License-Identifier: MIT
// From what was seen of a trial to its record. Reads the run's summary, computes the shares of the
// decoding window. Next hop: run_trial uses it, bench adds what needs several trials.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/child.h"
#include "bench/round_log.h"
#include "bench/run_trial.h"
#include "bench/stall_track.h"

namespace kvpsi {

/// Raw findings of one trial.
struct TrialFacts {
  std::optional<ChildExit> engine_exit;
  bool timed_out = false;
  std::string summary_path;
  std::string engine_words;  ///< first line of its stderr
  StallTrack external;
  std::vector<Round> rounds;
  std::uint64_t peak_bytes = 0;
  std::uint64_t neighbour_bytes = 0;
  std::uint64_t oom_kills = 0;
  std::uint64_t onset_us = 0;
  std::uint64_t relief_us = 0;
  std::vector<std::string> notes;
};

TrialOutcome make_outcome(const TrialJob& job, TrialFacts facts);

}  // namespace kvpsi
