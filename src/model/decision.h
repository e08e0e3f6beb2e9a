// SPDX-License-Identifier: MIT
// Decision: what the policy wants now, at which level and why. Made by policy/decide, a pure
// function; carried out by govern/governor. Next hop: Action -> Outcome.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "model/action.h"
#include "model/field.h"

namespace kvpsi {

/// How tight memory is. Entered at once, left one level at a time.
enum class Level : std::uint8_t { calm, elevated, high, critical };

constexpr std::string_view name(Level level) {
  switch (level) {
    case Level::calm:
      return "calm";
    case Level::elevated:
      return "elevated";
    case Level::high:
      return "high";
    case Level::critical:
      return "critical";
  }
  return "unknown";
}

/// The rule that won. One tick has one reason; `explain` turns it into a sentence.
enum class Reason : std::uint8_t {
  at_rest,      ///< no pressure, nothing to do
  tidy,         ///< no pressure, but enough memory lies unused to give it back or to disk
  first_sign,   ///< first stall: release everything that costs nothing
  level_entry,  ///< a higher level was entered: release again
  need,         ///< measured need asks for a sized step
  room,         ///< new work waits, and may push out older context
  cap,          ///< the KV cache is over --kv-max
  asked,        ///< a person or program asked to give memory back now
  blanking,     ///< waiting for the effect of the last step
  in_flight,    ///< the last step is still queued
  futile,       ///< steps did not lower the pressure: it is not ours
  too_little,   ///< all we could give is far below the need: no lossy step
  at_floor,     ///< the KV cache is at --kv-min
  not_allowed,  ///< only a lossy step would help, and --trim forbids it
  paused,       ///< governing is paused
  foreign,      ///< others stall, and giving up context would not relieve them
  restore,      ///< pressure is over and there is room: what is on disk comes back
  edge,         ///< a limit that kills without stall first: what costs next to nothing goes ahead
};

constexpr std::string_view name(Reason reason) {
  switch (reason) {
    case Reason::at_rest:
      return "at_rest";
    case Reason::tidy:
      return "tidy";
    case Reason::first_sign:
      return "first_sign";
    case Reason::level_entry:
      return "level_entry";
    case Reason::need:
      return "need";
    case Reason::room:
      return "room";
    case Reason::cap:
      return "cap";
    case Reason::asked:
      return "asked";
    case Reason::blanking:
      return "blanking";
    case Reason::in_flight:
      return "in_flight";
    case Reason::futile:
      return "futile";
    case Reason::too_little:
      return "too_little";
    case Reason::at_floor:
      return "at_floor";
    case Reason::not_allowed:
      return "not_allowed";
    case Reason::paused:
      return "paused";
    case Reason::edge:
      return "edge";
    case Reason::foreign:
      return "foreign";
    case Reason::restore:
      return "restore";
  }
  return "unknown";
}

/// The policy's answer to one observation.
struct Decision {
  std::uint64_t id = 0;  ///< 1, 2, 3, ... one a tick
  Level level = Level::calm;
  Reason reason = Reason::at_rest;
  std::uint64_t need_bytes = 0;  ///< what the memory situation asks of us; see policy/share.h
  /// Most live KV that admission, prefill and restore may fill; empty = as configured.
  std::optional<std::uint64_t> kv_budget_bytes;
  std::uint64_t wake_after_us = 0;  ///< look again after this long at the latest
  Actions actions;

  bool operator==(const Decision&) const = default;
};

/// Whether the turn answers pressure with an action: tidying, the cap and what people ask for do
/// not.
inline bool answers_pressure(const Decision& decision) {
  const bool answers = decision.reason == Reason::first_sign ||
                       decision.reason == Reason::level_entry || decision.reason == Reason::need;
  return answers && !decision.actions.empty();
}

/// The field table of Decision without its actions; see sample.h for the contract.
template <class Visitor, class D>
void visit_fields(Visitor&& visit, D& d)
  requires std::is_same_v<std::remove_const_t<D>, Decision>
{
  visit(Field{"id", "1", "number of the decision"}, d.id);
  visit(Field{"level", "name", "calm, elevated, high, critical"}, d.level);
  visit(Field{"reason", "name", "the rule that won"}, d.reason);
  visit(Field{"need_bytes", "bytes", "what the situation asks for"}, d.need_bytes);
  visit(Field{"kv_budget_bytes", "bytes", "most live KV that new work may fill"},
        d.kv_budget_bytes);
  visit(Field{"wake_after_us", "us", "look again after this long"}, d.wake_after_us);
}

}  // namespace kvpsi
