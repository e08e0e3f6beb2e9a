// SPDX-License-Identifier: MIT
// A recorded turn of the governor in sentences, with its numbers: why it acted or did not. Pure:
// Tick in, text out; must not decide anything itself, it only says what the record holds.
// Next hop: cli/cmd_explain.cpp; the rules themselves are in docs/policies.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/tick.h"
#include "policy/config.h"

namespace kvpsi {

/// Why the rule won, as a clause after "because", with the numbers of that turn.
std::string explain_reason(const Tick& tick);

/// One thing worth telling: a change of level, reason or soft maximum, or a turn with actions.
struct Event {
  double t_s = 0;  ///< since the journal's first tick
  std::uint64_t decision_id = 0;
  Level level = Level::calm;
  Reason reason = Reason::at_rest;
  std::string sentence;
};

/// The events of a journal in order. What came of an action is looked up in the ticks after it.
/// With `every_turn`, each tick is one.
std::vector<Event> explain_events(std::span<const Tick> ticks, bool every_turn);

/// The outcome that ended the action, in the ticks after its own; nullptr if the journal ends
/// before.
const Outcome* find_outcome(std::span<const Tick> later, const Action& action);

/// Seconds from the first tick to the latest one. Runs written one after the other into one file
/// may begin anew.
double covered_s(std::span<const Tick> ticks);

/// The turn in force at `t_s` seconds after the first tick; nothing beyond covered_s().
std::optional<std::size_t> find_turn(std::span<const Tick> ticks, double t_s);

/// One turn whole, several lines: what was seen, what it meant, which rule won, what was asked and
/// what came of it. `config` was in force for it; nullptr: the journal names none.
std::string explain_turn(std::span<const Tick> ticks, std::size_t turn, const PolicyConfig* config);

}  // namespace kvpsi
