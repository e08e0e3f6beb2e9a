// SPDX-License-Identifier: MIT
// Enter and leave conditions; see levels.h. docs/policies.md has them as a table.
#include "policy/levels.h"

#include <algorithm>

#include "policy/arith.h"

namespace kvpsi {
namespace {

bool is_below(const Signal& signal, std::uint64_t reserve_bytes, double factor = 1) {
  return static_cast<double>(signal.headroom_bytes) < static_cast<double>(reserve_bytes) * factor;
}

bool is_first_sign_size(const Signal& signal, const PolicyConfig& config) {
  if (!signal.psi_present) {
    return is_stressed(signal, config) && is_below(signal, signal.reserve_high_bytes);
  }
  // At our own limit a millisecond is no accident, and giving back costs less than waiting for
  // more.
  const bool at_limit = signal.limit_hit && signal.origin == Origin::own;
  const std::uint64_t least_us =
      at_limit ? std::min(config.limit_sign_us, config.first_sign_us) : config.first_sign_us;
  const double window_stall_us = signal.some_fast * static_cast<double>(config.fast_window_us);
  return signal.stall_us_new >= least_us || window_stall_us + 0.5 >= static_cast<double>(least_us);
}

/// Stall inside the last interval itself, which a window of 2 s remembers for 2 s too long.
bool is_stalling(const Signal& signal, std::uint64_t dt_us, const PolicyConfig& config) {
  if (!signal.psi_present) return is_stressed(signal, config);
  return signal.stall_us_new > 0 && static_cast<double>(signal.stall_us_new) >=
                                        config.stress_some * static_cast<double>(dt_us);
}

bool update_signs(PolicyState& state, const Signal& signal, std::uint64_t now_us,
                  std::uint64_t dt_us, const PolicyConfig& config) {
  if (is_stalling(signal, dt_us, config)) state.last_stall_us = now_us;
  const bool sign =
      is_first_sign_size(signal, config) || signal.oom_near || signal.hinted || signal.draining;
  if (sign) state.last_sign_us = now_us;
  const bool first = sign && !state.sign_seen;
  if (first) state.sign_since_us = now_us;
  state.sign_seen = first || is_within(now_us, state.last_sign_us, config.armed_for_us);
  return first;
}

std::uint64_t dwell_us(Level level, const PolicyConfig& config) {
  return level == Level::elevated ? config.dwell_calm_us : config.dwell_us;
}

}  // namespace

bool is_stressed(const Signal& signal, const PolicyConfig& config) {
  if (signal.psi_present) return signal.some_fast >= config.stress_some;
  return signal.reclaim_active && signal.major_faults_per_s >= config.major_fault_floor_per_s;
}

Level find_level(const Signal& signal, const PolicyConfig& config) {
  const bool active = signal.reclaim_active;
  const bool stressed = is_stressed(signal, config);
  if ((active && signal.full_fast >= config.critical_full) || signal.oom_kill ||
      signal.time_to_empty_s < config.critical_time_to_empty_s) {
    return Level::critical;
  }
  if ((active && signal.some_fast >= config.high_some) ||
      (stressed && is_below(signal, signal.reserve_low_bytes)) ||
      signal.time_to_empty_s < config.high_time_to_empty_s || signal.draining || signal.oom_near) {
    return Level::high;
  }
  if ((active && signal.some_fast >= config.elevated_some) ||
      (stressed && (signal.limit_hit || is_below(signal, signal.reserve_high_bytes))) ||
      signal.hinted) {
    return Level::elevated;
  }
  return Level::calm;
}

bool is_quiet(Level level, const Signal& signal, const PolicyConfig& config) {
  const bool silent =
      signal.psi_present ? signal.some_fast < config.quiet_some : !is_stressed(signal, config);
  switch (level) {
    case Level::critical:
      return signal.full_fast < config.leave_critical_full && !signal.oom_kill &&
             signal.time_to_empty_s >= 2 * config.critical_time_to_empty_s;
    case Level::high:
      return signal.some_fast < config.leave_high_some &&
             (silent || !is_below(signal, signal.reserve_low_bytes, 1.25)) && !signal.oom_near &&
             signal.time_to_empty_s >= 2 * config.high_time_to_empty_s;
    case Level::elevated:
      return signal.some_fast < config.leave_elevated_some &&
             (silent || !is_below(signal, signal.reserve_high_bytes));
    case Level::calm:
      return false;
  }
  return false;
}

LevelChange update_level(PolicyState& state, const Signal& signal, std::uint64_t now_us,
                         std::uint64_t dt_us, const PolicyConfig& config) {
  LevelChange change;
  change.first_sign = update_signs(state, signal, now_us, dt_us, config);
  change.pressed = is_within(now_us, state.last_stall_us, config.recent_stall_us) ||
                   signal.oom_kill || signal.oom_near || signal.draining;

  const Level target = find_level(signal, config);
  if (target > state.level) {
    state.level = target;
    state.quiet_since_us = 0;
    change.entered = true;
  } else if (target == state.level || !is_quiet(state.level, signal, config)) {
    state.quiet_since_us = 0;
  } else if (state.quiet_since_us == 0) {
    state.quiet_since_us = stamp(now_us);
  } else if (!is_within(now_us, state.quiet_since_us, dwell_us(state.level, config))) {
    state.level = static_cast<Level>(static_cast<int>(state.level) - 1);
    state.quiet_since_us = stamp(now_us);
  }
  return change;
}

}  // namespace kvpsi
