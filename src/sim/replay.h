// SPDX-License-Identifier: MIT
// Replay: feeds what a recorded run observed to the law again and says whether it decides the
// same, or what another configuration would have decided. Pure; the law is deterministic, so any
// difference is a changed law, a changed configuration or a damaged journal. Next hop:
// policy/decide.h, cli/cmd_simulate_replay.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/tick.h"
#include "policy/config_timeline.h"

namespace kvpsi {

/// The first field of a tick in which replay and record differ.
struct ReplayDifference {
  std::uint64_t decision_id = 0;
  double t_s = 0;     ///< since the journal's first tick
  std::string field;  ///< "decision.level", "signal.some_fast", "actions[0].bytes", "state_hash"
  std::string recorded;
  std::string replayed;
};

/// What replay() found.
struct ReplayReport {
  static constexpr std::size_t kKeptDifferences = 10;

  std::uint64_t ticks = 0;
  std::uint64_t compared = 0;  ///< reproduced or differing
  std::uint64_t reproduced = 0;
  std::uint64_t other_config = 0;  ///< recorded under another configuration: not compared
  std::uint64_t after_gap = 0;     ///< the law's memory is unknown since lost ticks: not compared
  std::uint64_t gaps = 0;          ///< places where ticks are missing, the start included
  std::vector<ReplayDifference> differences;  ///< the first ones, one a tick

  /// Whether all that could be compared was the same, and something could.
  bool holds() const { return compared > 0 && reproduced == compared; }
};

/// Runs the law over the recorded observations and compares signal, decision and state hash of
/// each tick. After a gap in the decision ids the law's memory is unknown, so nothing is compared
/// until the end or a new run (decision 1) in the same file. After a difference the replay goes on
/// from its own state, so that one difference may cause the next. Each tick is decided under the
/// configuration in force for it, ticks before the first one under the defaults.
ReplayReport replay(std::span<const Tick> ticks, const ConfigTimeline& configs);

/// What one configuration asks for over a whole journal.
struct ReplaySums {
  std::uint64_t actions = 0;
  std::uint64_t trims = 0;
  std::uint64_t trim_bytes_asked = 0;
  std::uint64_t release_actions = 0;
  std::uint64_t turns_under_pressure = 0;  ///< level above calm
};

/// One turn decided otherwise.
struct WhatIfRow {
  double t_s = 0;
  Decision then;
  Decision now;
};

struct WhatIf {
  ReplaySums then;
  ReplaySums now;
  std::uint64_t changed = 0;    ///< turns with another level, reason or actions
  std::vector<WhatIfRow> rows;  ///< those turns
};

/// What `configs` would have decided on the recorded observations. The observations stay as they
/// were recorded: memory that other actions would have freed does not show in them, so this tells
/// first moves well and long sequences roughly.
WhatIf replay_otherwise(std::span<const Tick> ticks, const ConfigTimeline& configs);

}  // namespace kvpsi
