// SPDX-License-Identifier: MIT
// PolicyConfig: every threshold and gain of the control law, with its default. docs/policies.md
// says in one sentence each what a rule does with them (a test compares the two). Plain numbers;
// must not hold anything that changes at run time, that is PolicyState. Next hop: policy/decide.h.
#pragma once

#include <cstdint>
#include <type_traits>

#include "base/bytes.h"
#include "base/hash.h"
#include "model/field.h"

namespace kvpsi {

/// The law's constants. Times in microseconds unless the name says `_s`, shares are 0..1.
/// Trivially copyable. The field table below carries the meaning of each member.
struct PolicyConfig {
  // What is asked of us.
  bool release_allowed = true;
  bool trim_allowed = false;
  bool trim_for_room = false;
  std::uint64_t kv_min_bytes = 0;
  std::uint64_t kv_max_bytes = 0;  ///< 0 = no cap
  double cap_slack_share = 0.0625;

  // Windows over which counters are compared.
  std::uint64_t fast_window_us = 2'000'000;
  std::uint64_t slow_window_us = 10'000'000;
  std::uint64_t sample_gap_us = 10'000'000;

  // The first sign, and what counts as reclaim.
  std::uint64_t first_sign_us = 20'000;
  std::uint64_t limit_sign_us = 1'000;
  double scan_floor_bytes_per_s = 4.0 * static_cast<double>(kMiB);
  double refault_floor_per_s = 100;
  double major_fault_floor_per_s = 20;
  double slope_floor_bytes_per_s = 1.0 * static_cast<double>(kMiB);

  // Reserves: headroom to keep (low) and to aim for (high).
  std::uint64_t own_text_most_bytes = 16 * kMiB;
  std::uint64_t own_text_for_us = 600'000'000;
  double system_reserve_low_share = 0.04;
  double system_reserve_high_share = 0.08;
  std::uint64_t reserve_low_bytes = 256 * kMiB;
  std::uint64_t reserve_high_bytes = 512 * kMiB;
  double system_reserve_low_max_share = 0.10;
  double system_reserve_high_max_share = 0.20;
  double group_reserve_low_share = 0.03;
  double group_reserve_high_share = 0.06;
  double surge_max_share = 0.15;

  // Levels.
  double elevated_some = 0.05;
  double high_some = 0.10;
  double critical_full = 0.05;
  double stress_some = 0.01;
  double high_time_to_empty_s = 2.5;
  double critical_time_to_empty_s = 0.75;
  double drain_time_to_empty_s = 10;
  double leave_elevated_some = 0.01;
  double leave_high_some = 0.02;
  double leave_critical_full = 0.005;
  double quiet_some = 0.005;
  std::uint64_t dwell_us = 5'000'000;
  std::uint64_t dwell_calm_us = 10'000'000;

  // Need.
  double horizon_s = 2.25;
  double unseen_some = 0.02;
  double unseen_max_reserves = 4;
  double unseen_max_growth = 8;
  double others_max_reserves = 2;
  double still_some = 0.10;
  std::uint64_t unseen_max_doublings = 3;

  // Steps.
  std::uint64_t step_budget_us = 20'000;
  std::uint64_t blanking_us = 500'000;
  std::uint64_t recent_stall_us = 500'000;
  std::uint64_t release_min_bytes = kMiB;
  std::uint64_t disk_step_us = 2'000'000;
  std::uint64_t disk_step_bytes = 64 * kMiB;
  double least_share_of_need = 0.10;
  double efficacy_floor = 0.5;
  double futile_drop = 0.30;
  std::uint64_t futile_steps = 2;
  std::uint64_t futile_hold_min_us = 2'000'000;
  std::uint64_t futile_hold_max_us = 60'000'000;

  // Growing back.
  std::uint64_t grow_hold_us = 5'000'000;
  std::uint64_t grow_again_us = 60'000'000;
  std::uint64_t grow_period_us = 1'000'000;
  double grow_some = 0.001;
  double grow_margin_share = 0.25;
  double grow_share = 0.125;
  double grow_wary_share = 0.02;
  std::uint64_t relapse_us = 10'000'000;
  double bad_share = 0.75;
  std::uint64_t bad_for_us = 600'000'000;
  double budget_least_share = 0.0625;

  // Tidying without pressure.
  std::uint64_t tidy_min_bytes = 4 * kMiB;
  double tidy_live_share = 0.0625;
  std::uint64_t tidy_period_us = 1'000'000;

  // When to look again.
  std::uint64_t calm_wake_us = 500'000;
  std::uint64_t watch_wake_us = 250'000;
  std::uint64_t watch_for_us = 30'000'000;
  std::uint64_t armed_wake_us = 100'000;
  std::uint64_t armed_for_us = 5'000'000;
  std::uint64_t again_wake_us = 10'000;

  bool operator==(const PolicyConfig&) const = default;

  /// Digest of all members: names this configuration in the journal.
  std::uint64_t hash() const;
};

namespace detail {

template <class Visitor, class C>
void visit_seeing_fields(Visitor& visit, C& c) {
  visit(Field{"release_allowed", "bool", "free pages may be returned"}, c.release_allowed);
  visit(Field{"trim_allowed", "bool", "context may be dropped for good"}, c.trim_allowed);
  visit(Field{"trim_for_room", "bool", "also to make room for new work"}, c.trim_for_room);
  visit(Field{"kv_min_bytes", "bytes", "live KV never trimmed below this"}, c.kv_min_bytes);
  visit(Field{"kv_max_bytes", "bytes", "cap of live KV, 0 = none"}, c.kv_max_bytes);
  visit(Field{"cap_slack_share", "1", "a cap step ends this far below it"}, c.cap_slack_share);

  visit(Field{"fast_window_us", "us", "window that decides"}, c.fast_window_us);
  visit(Field{"slow_window_us", "us", "window shown beside it"}, c.slow_window_us);
  visit(Field{"sample_gap_us", "us", "a longer gap starts anew"}, c.sample_gap_us);

  visit(Field{"first_sign_us", "us", "stall that releases everything free"}, c.first_sign_us);
  visit(Field{"limit_sign_us", "us", "the same while our own limit is hit"}, c.limit_sign_us);
  visit(Field{"scan_floor_bytes_per_s", "bytes/s", "slower scanning is not reclaim"},
        c.scan_floor_bytes_per_s);
  visit(Field{"refault_floor_per_s", "1/s", "fewer refaults are not reclaim"},
        c.refault_floor_per_s);
  visit(Field{"major_fault_floor_per_s", "1/s", "own faults that stand in for PSI"},
        c.major_fault_floor_per_s);
  visit(Field{"slope_floor_bytes_per_s", "bytes/s", "slower losses are noise"},
        c.slope_floor_bytes_per_s);

  visit(Field{"own_text_most_bytes", "bytes", "most taken for the program's own text"},
        c.own_text_most_bytes);
  visit(Field{"own_text_for_us", "us", "how long that is remembered"}, c.own_text_for_us);
  visit(Field{"system_reserve_low_share", "1", "of the machine, to keep"},
        c.system_reserve_low_share);
  visit(Field{"system_reserve_high_share", "1", "of the machine, to aim for"},
        c.system_reserve_high_share);
  visit(Field{"reserve_low_bytes", "bytes", "machine: at least, group: at most"},
        c.reserve_low_bytes);
  visit(Field{"reserve_high_bytes", "bytes", "machine: at least, group: at most"},
        c.reserve_high_bytes);
  visit(Field{"system_reserve_low_max_share", "1", "of the machine, at most"},
        c.system_reserve_low_max_share);
  visit(Field{"system_reserve_high_max_share", "1", "of the machine, at most"},
        c.system_reserve_high_max_share);
  visit(Field{"group_reserve_low_share", "1", "of a limit, to keep"}, c.group_reserve_low_share);
  visit(Field{"group_reserve_high_share", "1", "of a limit, to aim for"},
        c.group_reserve_high_share);
  visit(Field{"surge_max_share", "1", "of a limit, most room wanted for what we take at once"},
        c.surge_max_share);
}

template <class Visitor, class C>
void visit_level_fields(Visitor& visit, C& c) {
  visit(Field{"elevated_some", "1", "stall share that enters elevated"}, c.elevated_some);
  visit(Field{"high_some", "1", "stall share that enters high"}, c.high_some);
  visit(Field{"critical_full", "1", "full stall share that enters critical"}, c.critical_full);
  visit(Field{"stress_some", "1", "stall share that makes low headroom count"}, c.stress_some);
  visit(Field{"high_time_to_empty_s", "s", "time to empty that enters high"},
        c.high_time_to_empty_s);
  visit(Field{"critical_time_to_empty_s", "s", "time to empty that enters critical"},
        c.critical_time_to_empty_s);
  visit(Field{"drain_time_to_empty_s", "s", "the same below the lower reserve: a sign of its own"},
        c.drain_time_to_empty_s);
  visit(Field{"leave_elevated_some", "1", "elevated ends below this"}, c.leave_elevated_some);
  visit(Field{"leave_high_some", "1", "high ends below this"}, c.leave_high_some);
  visit(Field{"leave_critical_full", "1", "critical ends below this"}, c.leave_critical_full);
  visit(Field{"quiet_some", "1", "below this low headroom does not hold a level"}, c.quiet_some);
  visit(Field{"dwell_us", "us", "quiet time before a level is left"}, c.dwell_us);
  visit(Field{"dwell_calm_us", "us", "quiet time before calm"}, c.dwell_calm_us);

  visit(Field{"horizon_s", "s", "how far losses are projected"}, c.horizon_s);
  visit(Field{"unseen_some", "1", "own stall share that disproves headroom"}, c.unseen_some);
  visit(Field{"unseen_max_reserves", "1", "headroom above this many upper reserves is believed"},
        c.unseen_max_reserves);
  visit(Field{"unseen_max_growth", "1", "of that bound, while stall goes on"}, c.unseen_max_growth);
  visit(Field{"others_max_reserves", "1", "most file pages of others taken for needed"},
        c.others_max_reserves);
  visit(Field{"still_some", "1", "stall since a step that shows it was too small"}, c.still_some);
  visit(Field{"unseen_max_doublings", "1", "how often a step that did not help is doubled"},
        c.unseen_max_doublings);
}

template <class Visitor, class C>
void visit_step_fields(Visitor& visit, C& c) {
  visit(Field{"step_budget_us", "us", "time a step may take"}, c.step_budget_us);
  visit(Field{"blanking_us", "us", "pause after a step"}, c.blanking_us);
  visit(Field{"recent_stall_us", "us", "a lossy step needs stall this recent"}, c.recent_stall_us);
  visit(Field{"release_min_bytes", "bytes",
              "least free KV worth a release of its own, and least that counts as a step"},
        c.release_min_bytes);
  visit(Field{"disk_step_us", "us", "a spill or restore asks for what the disk moves in this time"},
        c.disk_step_us);
  visit(Field{"disk_step_bytes", "bytes", "the same until its speed is known"}, c.disk_step_bytes);
  visit(Field{"least_share_of_need", "1", "less than this is not worth a loss"},
        c.least_share_of_need);
  visit(Field{"efficacy_floor", "1", "bytes measured / asked of an effective step"},
        c.efficacy_floor);
  visit(Field{"futile_drop", "1", "steps must lower stall by this share"}, c.futile_drop);
  visit(Field{"futile_steps", "1", "steps that may fail to"}, c.futile_steps);
  visit(Field{"futile_hold_min_us", "us", "first hold after futile steps"}, c.futile_hold_min_us);
  visit(Field{"futile_hold_max_us", "us", "longest hold, each doubles"}, c.futile_hold_max_us);

  visit(Field{"tidy_min_bytes", "bytes", "least worth tidying"}, c.tidy_min_bytes);
  visit(Field{"tidy_live_share", "1", "the same as a share of live KV"}, c.tidy_live_share);
  visit(Field{"tidy_period_us", "us", "between two tidyings"}, c.tidy_period_us);

  visit(Field{"calm_wake_us", "us", "heartbeat without pressure"}, c.calm_wake_us);
  visit(Field{"watch_wake_us", "us", "heartbeat some time after it"}, c.watch_wake_us);
  visit(Field{"watch_for_us", "us", "how long that lasts"}, c.watch_for_us);
  visit(Field{"armed_wake_us", "us", "heartbeat under pressure"}, c.armed_wake_us);
  visit(Field{"armed_for_us", "us", "how long after the last sign"}, c.armed_for_us);
  visit(Field{"again_wake_us", "us", "heartbeat after a step cut by its budget"}, c.again_wake_us);
}

template <class Visitor, class C>
void visit_growth_fields(Visitor& visit, C& c) {
  visit(Field{"grow_hold_us", "us", "time without pressure before the budget grows"},
        c.grow_hold_us);
  visit(Field{"grow_again_us", "us", "the same after pressure this soon after growth"},
        c.grow_again_us);
  visit(Field{"grow_period_us", "us", "between two growth steps"}, c.grow_period_us);
  visit(Field{"grow_some", "1", "stall share of 2 s that forbids growth"}, c.grow_some);
  visit(Field{"grow_margin_share", "1", "of the way to the upper reserve, left unfilled"},
        c.grow_margin_share);
  visit(Field{"grow_share", "1", "of the whole cache, one growth step"}, c.grow_share);
  visit(Field{"grow_wary_share", "1", "the same near the size that hurt"}, c.grow_wary_share);
  visit(Field{"relapse_us", "us", "pressure this soon after a growth step is its fault"},
        c.relapse_us);
  visit(Field{"bad_share", "1", "of the size that hurt: growth is wary from here"}, c.bad_share);
  visit(Field{"bad_for_us", "us", "how long that size is remembered"}, c.bad_for_us);
  visit(Field{"budget_least_share", "1", "of the whole cache, always allowed"},
        c.budget_least_share);
}

}  // namespace detail

/// The field table of PolicyConfig; see model/sample.h for the contract.
template <class Visitor, class C>
void visit_fields(Visitor&& visit, C& c)
  requires std::is_same_v<std::remove_const_t<C>, PolicyConfig>
{
  detail::visit_seeing_fields(visit, c);
  detail::visit_level_fields(visit, c);
  detail::visit_step_fields(visit, c);
  detail::visit_growth_fields(visit, c);
}

inline std::uint64_t PolicyConfig::hash() const {
  Hash64 hash;
  visit_fields([&hash](const Field&, const auto& value) { hash.add(value); }, *this);
  return hash.value();
}

}  // namespace kvpsi
