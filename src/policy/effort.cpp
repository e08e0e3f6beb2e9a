// SPDX-License-Identifier: MIT
// See effort.h.
#include "policy/effort.h"

#include <algorithm>

#include "policy/arith.h"

namespace kvpsi {
namespace {

/// What was moved in the direction that was asked for.
std::uint64_t moved_bytes(const Outcome& outcome) {
  return outcome.verb == Verb::restore ? outcome.bytes_restored : outcome.bytes_released;
}

/// Twice as long each time: a disk that is full or broken is asked again, but not all the time.
void start_effort_hold(Effort& effort, std::uint64_t now_us, const PolicyConfig& config) {
  const std::uint64_t longer = std::min(effort.hold_us, config.futile_hold_max_us / 2) * 2;
  effort.hold_us = std::min(std::max(longer, config.futile_hold_min_us), config.futile_hold_max_us);
  effort.hold_until_us = stamp(now_us + effort.hold_us);
}

}  // namespace

Effort* find_effort(PolicyState& state, Verb verb) {
  switch (verb) {
    case Verb::spill:
      return &state.spill;
    case Verb::compact:
      return &state.compact;
    case Verb::restore:
      return &state.restore;
    case Verb::release:
    case Verb::trim:
      return nullptr;
  }
  return nullptr;
}

bool settle_effort(Effort& effort, const Outcome& outcome, std::uint64_t now_us,
                   const PolicyConfig& config) {
  const bool is_ours = outcome.decision_id == effort.asked_id;
  if (outcome.status == Status::queued) {
    effort.in_flight = InFlight{outcome.decision_id, is_ours ? effort.asked_bytes : 0};
    return false;
  }
  if (outcome.decision_id >= effort.in_flight.decision_id) effort.in_flight = InFlight{};
  const std::uint64_t moved = moved_bytes(outcome);
  // Cut short by its budget it is no failure, also if nothing was moved.
  // The effect of a restore need not be awaited: headroom shows it at once.
  effort.again = outcome.status == Status::more || (outcome.verb == Verb::restore && moved > 0);
  if (outcome.status == Status::more) return false;
  const bool is_short =
      static_cast<double>(moved) < static_cast<double>(effort.asked_bytes) * config.efficacy_floor;
  const bool is_failed = moved == 0 || outcome.status == Status::failed;
  if (is_ours && (is_failed || (is_short && outcome.verb != Verb::restore))) {
    effort.again = false;
    start_effort_hold(effort, now_us, config);
    return false;
  }
  effort.hold_us = effort.hold_until_us = 0;
  return is_ours && effort.for_need;
}

void note_effort(Effort& effort, std::uint64_t decision_id, std::uint64_t bytes, bool for_need,
                 std::uint64_t now_us) {
  effort.asked_id = decision_id;
  effort.asked_bytes = bytes;
  effort.asked_us = stamp(now_us);
  effort.for_need = for_need;
}

bool is_usable(const Effort& effort, std::uint64_t now_us) {
  return now_us >= effort.hold_until_us;
}

}  // namespace kvpsi
