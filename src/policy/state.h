// SPDX-License-Identifier: MIT
// PolicyState: all that the control law remembers between two decisions. A plain value without
// pointers: copying it is a checkpoint, equal states decide alike. Written by fuse, levels,
// steps, ladder and grow, each its own part; read by nobody outside policy/. Next hop:
// policy/decide.h.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/hash.h"
#include "base/ring.h"
#include "model/decision.h"

namespace kvpsi {

/// Whose memory is the tightest: decides which reserves hold.
enum class Scope : std::uint8_t { none, system, group };

/// What is kept of one sample: counters as they stood, and the room measured then.
struct Point {
  std::uint64_t t_us = 0;
  std::uint64_t own_some_us = 0;
  std::uint64_t own_full_us = 0;
  std::uint64_t parent_some_us = 0;
  std::uint64_t parent_full_us = 0;
  std::uint64_t system_some_us = 0;
  std::uint64_t system_full_us = 0;
  std::uint64_t scan_pages = 0;
  std::uint64_t swapin_pages = 0;
  std::uint64_t refault_pages = 0;
  std::uint64_t limit_hits = 0;
  std::uint64_t oom_kills = 0;
  std::uint64_t hints = 0;
  std::uint64_t major_faults = 0;
  std::int64_t headroom_bytes = 0;
  std::int64_t foreign_room_bytes = 0;  ///< headroom as it would be without us
  std::uint64_t others_file_bytes = 0;  ///< page cache in the limit's group that we do not map
  std::uint64_t present = 0;            ///< bit mask of the sources that could be read
  Scope scope = Scope::none;
};

/// The counters of the last seconds, oldest first. Points closer together than kHistorySpacingUs
/// are not kept, so that the slow window always fits.
inline constexpr std::size_t kHistoryPoints = 128;
inline constexpr std::uint64_t kHistorySpacingUs = 80'000;

/// An action that the pool left for the engine's next safe point.
struct InFlight {
  std::uint64_t decision_id = 0;  ///< 0 = none
  std::uint64_t bytes = 0;        ///< asked, 0 = everything
};

inline constexpr std::size_t kPoolKinds = 4;

/// A lossless verb of the KV pool that takes its time (spill, compact, restore): what runs, and
/// how it has been going.
struct Effort {
  InFlight in_flight;
  std::uint64_t asked_id = 0;  ///< the last one, 0 = never
  std::uint64_t asked_bytes = 0;
  std::uint64_t asked_us = 0;
  bool for_need = false;            ///< judged by the stall it lowers, as a trim for need
  bool is_part = false;             ///< of what was needed: time bounds what is asked at once
  std::uint64_t bytes_per_s = 0;    ///< as measured, 0 = not yet
  bool again = false;               ///< the last one was cut short by its budget
  bool done = false;                ///< the last one has ended, and moved bytes
  std::uint64_t hold_us = 0;        ///< length of the last hold, 0 = it works
  std::uint64_t hold_until_us = 0;  ///< it failed or gave next to nothing: not before this
};

/// See the head of the file. Default-constructed = nothing has been seen yet.
struct PolicyState {
  std::uint64_t decisions = 0;

  // fuse
  Ring<Point, kHistoryPoints> history;
  Point previous;
  bool has_previous = false;
  std::uint64_t history_digest = 0;         ///< stands for the history in state_hash
  std::uint64_t own_file_wanted_bytes = 0;  ///< as last declared
  std::uint64_t own_file_most_bytes = 0;    ///< most that was mapped since, text included
  std::uint64_t own_file_most_us = 0;       ///< when it last was

  // levels
  Level level = Level::calm;
  std::uint64_t quiet_since_us = 0;  ///< 0 = the level's leave condition does not hold

  // signs of pressure
  bool sign_seen = false;           ///< the first sign was answered and pressure is not over
  std::uint64_t sign_since_us = 0;  ///< when that first sign came
  std::uint64_t last_sign_us = 0;   ///< 0 = never
  std::uint64_t last_stall_us = 0;  ///< last sample whose own interval held stall; 0 = never

  // need
  std::uint64_t unseen_bytes = 0;  ///< headroom that proved to be none

  // steps
  std::array<InFlight, kPoolKinds> releases;  ///< by PoolKind
  InFlight trim;
  std::uint64_t again_pools = 0;  ///< bit mask: releases cut short by their budget
  bool trim_again = false;        ///< the last trim was cut short by its budget
  std::uint64_t step_end_us = 0;  ///< end of the last step that moved bytes; 0 = none
  bool step_was_trim = false;
  Effort spill;
  Effort compact;
  std::uint64_t step_asked_us = 0;  ///< last spill, compaction or trim for need, 0 = never
  std::uint64_t slid_us = 0;        ///< the same for the cap or for room, 0 = never
  std::uint64_t trim_asked_id = 0;
  std::uint64_t trim_asked_bytes = 0;
  bool trim_for_need = false;  ///< not for the cap: judged by what it did to the stall
  double efficacy = 1;         ///< bytes measured / asked of the last trim
  double episode_some = 0;     ///< stall share before the first step of the episode
  std::uint64_t effective_steps = 0;
  std::uint64_t effective_id = 0;  ///< the last decision among them: its rungs count once
  std::uint64_t ineffective_steps = 0;
  std::uint64_t held_at_steps = 0;    ///< effective steps when the last hold began
  std::uint64_t futile_until_us = 0;  ///< 0 = not on hold
  std::uint64_t futile_hold_us = 0;   ///< length of the last hold, 0 = none in this episode
  std::uint64_t last_tidy_us = 0;

  // growth
  bool is_bounded = false;         ///< a budget holds
  std::uint64_t budget_bytes = 0;  ///< most live KV, if bounded
  /// Of these, what new work may fill: spans come back first.
  std::uint64_t offered_bytes = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t pressed_us = 0;  ///< last turn of pressure above calm, 0 = never
  std::uint64_t grown_us = 0;    ///< last growth step, 0 = never
  std::uint64_t grown_to_bytes = 0;
  std::uint64_t undone_us = 0;  ///< when pressure last cut what had grown, 0 = never
  std::uint64_t bad_bytes = 0;  ///< the size that hurt, 0 = none known
  std::uint64_t bad_us = 0;     ///< when it did, 0 = never

  // the way back
  Effort restore;
  std::uint64_t restored_us = 0;        ///< last restore asked for or ended, 0 = never
  std::uint64_t restore_undone_us = 0;  ///< when a step last undid a restore, 0 = never
};

static_assert(std::is_trivially_copyable_v<PolicyState>);

/// The clock went back (a restored process, joined journals): what lies ahead counts as now, or
/// holds would last until the clock has caught up.
void forget_future(PolicyState& state, std::uint64_t now_us);

/// Adds every field of the point.
void add_to_hash(Hash64& hash, const Point& point);

/// Digest over all fields; the history is represented by the digest that fuse keeps of it. Equal
/// states have equal hashes on every machine.
std::uint64_t state_hash(const PolicyState& state);

}  // namespace kvpsi
