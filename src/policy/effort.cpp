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

/// Waiting for a safe point is part of it: that is how long the next one will take too.
void learn_rate(Effort& effort, const Outcome& outcome, std::uint64_t moved, std::uint64_t now_us,
                const PolicyConfig& config) {
  const std::uint64_t ended_us = outcome.t_us == 0 ? now_us : std::min(outcome.t_us, now_us);
  const std::uint64_t took_us = std::max({minus(ended_us, effort.asked_us), outcome.duration_us,
                                          config.step_budget_us, std::uint64_t{1}});
  const double rate = static_cast<double>(moved) * 1e6 / static_cast<double>(took_us);
  const double before = effort.bytes_per_s == 0 ? rate : static_cast<double>(effort.bytes_per_s);
  effort.bytes_per_s = std::max<std::uint64_t>(to_bytes((before + rate) / 2), 1);
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
  effort.again = outcome.status == Status::more;
  effort.done = outcome.status == Status::done && moved > 0;
  if (is_ours && moved > 0) learn_rate(effort, outcome, moved, now_us, config);
  if (outcome.status == Status::more) return false;
  const bool is_short =
      static_cast<double>(moved) < static_cast<double>(effort.asked_bytes) * config.efficacy_floor;
  // Rows that somebody used meanwhile: the disk is well, and a need may come.
  const bool is_missed = outcome.verb == Verb::spill && outcome.status == Status::nothing &&
                         outcome.errno_value == 0 && !effort.for_need;
  if (is_missed) return false;
  const bool is_failed = moved == 0 || outcome.status == Status::failed;
  if (is_ours && (is_failed || (is_short && outcome.verb != Verb::restore))) {
    start_effort_hold(effort, now_us, config);
    return false;
  }
  effort.hold_us = effort.hold_until_us = 0;
  return is_ours && effort.for_need && !effort.is_part;
}

void note_effort(Effort& effort, std::uint64_t decision_id, std::uint64_t bytes,
                 std::uint64_t wanted_bytes, bool for_need, std::uint64_t now_us) {
  effort.asked_id = decision_id;
  effort.asked_bytes = bytes;
  effort.asked_us = stamp(now_us);
  effort.for_need = for_need;
  effort.is_part = bytes < wanted_bytes;
}

std::uint64_t find_most_bytes(const Effort& effort, const PolicyConfig& config) {
  if (effort.bytes_per_s == 0) return config.disk_step_bytes;
  return std::max(to_bytes(static_cast<double>(effort.bytes_per_s) *
                           static_cast<double>(config.disk_step_us) * 1e-6),
                  config.release_min_bytes);
}

bool is_usable(const Effort& effort, std::uint64_t now_us) {
  return now_us >= effort.hold_until_us;
}

}  // namespace kvpsi
