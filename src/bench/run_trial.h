// SPDX-License-Identifier: MIT
// Carries one planned run out: waits for calm, gets the model out of the page cache, makes a fresh
// group, starts the neighbour, then the engine, watches both, collects, cleans up. A program that
// fails is a result; an Error means that the bench itself could not do it. Next hop: bench.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "bench/cgroup_ops.h"
#include "bench/engine_flags.h"
#include "bench/engine_summary.h"
#include "bench/group_home.h"
#include "bench/results.h"

namespace kvpsi {

/// What all trials share. The pointers outlive them.
struct TrialHost {
  CgroupOps* ops = nullptr;
  const GroupHome* home = nullptr;  ///< nullptr: no groups, the whole machine is the scope
  std::string group_name;
  std::string out_dir;
  std::string executable = "/proc/self/exe";
  std::string proc = "/proc";
  std::function<bool()> stop;  ///< true: end now, clean up
};

/// Beyond the time for decoding, a trial may take this long for loading and prefill: fixed crawls.
inline constexpr double kPrefillMostSeconds = 120;

/// A squeeze that begins and ends while the engine decodes. The neighbour is started at the onset
/// (PressSpec::warmup_s is not looked at) and ended at the relief, or the limit is lowered and
/// raised again.
struct TimedSqueeze {
  std::function<bool()> begins;  ///< asked four times a second until it says that it is time
  double hold_s = 0;             ///< from the onset to the relief
  std::uint64_t lowered_limit_bytes = 0;  ///< 0: the neighbour squeezes
  double follow_most_s = 0;               ///< from the relief to the end of the engine
  std::function<bool()>
      ends;  ///< asked once in two seconds after the relief: has enough been seen?
};

struct TrialJob {
  PlannedRun run;
  RunSpec engine;
  PressSpec neighbour;
  std::uint64_t limit_bytes = 0;  ///< 0 = none
  double prefill_most_s = kPrefillMostSeconds;
  /// Squeezed from the beginning until decoding ends: what comes after has the room to itself.
  std::optional<TimedSqueeze> timed;
  std::string stem;  ///< of the files it writes: "3-psi"
};

struct TrialOutcome {
  Trial trial;
  std::optional<EngineSummary> summary;
  std::uint64_t neighbour_bytes = 0;  ///< charged to the group before the engine started
  std::uint64_t onset_us = 0;         ///< CLOCK_MONOTONIC; 0: no timed squeeze, or it did not begin
  std::uint64_t relief_us = 0;
  std::vector<std::string> notes;  ///< what a reader of the results must know
};

/// Errors: cancelled (stop), busy (model stays in the page cache, a group is left), permission, io,
/// or the neighbour's refusal to start (invalid_argument or unsupported).
Result<TrialOutcome> run_trial(const TrialHost& host, const TrialJob& job);

/// The neighbour without an engine for `seconds`: what its rounds are worth undisturbed.
/// Errors: as run_trial.
Result<NeighbourRate> run_neighbour_alone(const TrialHost& host, const PressSpec& spec,
                                          double seconds, const std::string& stem);

}  // namespace kvpsi
