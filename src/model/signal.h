// SPDX-License-Identifier: MIT
// Signal: what the samples mean. Rates over stated windows, headroom, time-to-empty. Computed by
// policy/fuse from consecutive samples; never holds an average of the kernel's (avg10 stays high
// 12-18 s after relief). Next hop: policy/levels and policy/need.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "model/field.h"

namespace kvpsi {

/// Where the pressure is, as far as the counters tell.
enum class Origin : std::uint8_t {
  none,
  own,     ///< we stall ourselves
  limit,   ///< others stall under the limit that we share with them, and it is being hit
  parent,  ///< others in the group above us, for reasons of their own
  system,  ///< others on the machine
};

constexpr std::string_view name(Origin origin) {
  switch (origin) {
    case Origin::none:
      return "none";
    case Origin::own:
      return "own";
    case Origin::limit:
      return "limit";
    case Origin::parent:
      return "parent";
    case Origin::system:
      return "system";
  }
  return "unknown";
}

/// Whether what we give up relieves it: we are the victim, or share the limit that makes victims.
constexpr bool is_ours(Origin origin) { return origin == Origin::own || origin == Origin::limit; }

/// The fused reading. Stall shares are 0..1 of wall time; byte rates are bytes a second.
struct Signal {
  bool psi_present = false;        ///< any PSI source was readable
  std::uint64_t stall_us_new = 0;  ///< relevant `some` time since the previous sample
  double some_fast = 0;            ///< relevant `some` share over the fast window (2 s)
  double some_slow = 0;            ///< the same over the slow window (10 s)
  double full_fast = 0;            ///< relevant `full` share over the fast window
  Origin origin = Origin::none;    ///< which source gave the highest share
  bool reclaim_active = false;     ///< somebody reclaims because of a limit or a full machine
  bool limit_hit = false;          ///< our limit was hit since the previous sample
  bool hinted = false;             ///< a service manager asked for memory since the previous sample
  bool oom_kill = false;           ///< the kernel killed somebody in our group
  bool draining = false;           ///< others take the last of the reserve, and no swap takes them
  bool oom_near = false;           ///< headroom is low and there is next to nothing to reclaim
  /// Least over machine and limits, without the file pages that we need ourselves; may be negative.
  std::int64_t headroom_bytes = std::numeric_limits<std::int64_t>::max();
  /// What our pools may take before anybody can look again; 0 where there is enough to reclaim.
  std::uint64_t surge_bytes = 0;
  double headroom_slope = 0;  ///< change of headroom, bytes a second, over 2 s
  double foreign_slope = 0;   ///< the same without our own growth: < 0 = others take memory
  double time_to_empty_s = std::numeric_limits<double>::infinity();
  std::uint64_t reserve_low_bytes = 0;   ///< keep at least this much headroom
  std::uint64_t reserve_high_bytes = 0;  ///< aim for this much
  double major_faults_per_s = 0;
  /// Anonymous memory of other governed processes that feel the same shortage: they share the need.
  std::uint64_t peers_bytes = 0;

  bool operator==(const Signal&) const = default;
};

/// Headroom that is missing for a surge to fit above the lower reserve; 0 = none is.
constexpr std::uint64_t surge_missing_bytes(const Signal& signal) {
  if (signal.surge_bytes == 0) return 0;
  const auto wanted =
      static_cast<double>(signal.reserve_low_bytes) + static_cast<double>(signal.surge_bytes);
  const double missing = wanted - static_cast<double>(signal.headroom_bytes);
  return missing > 0 ? static_cast<std::uint64_t>(missing) : 0;
}

/// The field table of Signal; see sample.h for the contract.
template <class Visitor, class S>
void visit_fields(Visitor&& visit, S& s)
  requires std::is_same_v<std::remove_const_t<S>, Signal>
{
  visit(Field{"psi_present", "bool", "a PSI source was readable"}, s.psi_present);
  visit(Field{"stall_us_new", "us", "stall since the previous sample"}, s.stall_us_new);
  visit(Field{"some_fast", "1", "share of the last 2 s in which some task stalled"}, s.some_fast);
  visit(Field{"some_slow", "1", "the same over 10 s"}, s.some_slow);
  visit(Field{"full_fast", "1", "share of the last 2 s in which all tasks stalled"}, s.full_fast);
  visit(Field{"origin", "name", "which source gave the highest share"}, s.origin);
  visit(Field{"reclaim_active", "bool", "memory is being reclaimed"}, s.reclaim_active);
  visit(Field{"limit_hit", "bool", "our limit was hit"}, s.limit_hit);
  visit(Field{"hinted", "bool", "a service manager asked for memory"}, s.hinted);
  visit(Field{"oom_kill", "bool", "somebody in our group was killed"}, s.oom_kill);
  visit(Field{"draining", "bool", "others take the last of the reserve"}, s.draining);
  visit(Field{"oom_near", "bool", "low headroom, and nothing to reclaim"}, s.oom_near);
  visit(Field{"headroom_bytes", "bytes", "memory left, our weights kept"}, s.headroom_bytes);
  visit(Field{"surge_bytes", "bytes", "what we may take at once, and nothing can be reclaimed for"},
        s.surge_bytes);
  visit(Field{"headroom_slope", "bytes/s", "change of headroom"}, s.headroom_slope);
  visit(Field{"foreign_slope", "bytes/s", "change caused by others"}, s.foreign_slope);
  visit(Field{"time_to_empty_s", "s", "until headroom is gone at this rate"}, s.time_to_empty_s);
  visit(Field{"reserve_low_bytes", "bytes", "least headroom to keep"}, s.reserve_low_bytes);
  visit(Field{"reserve_high_bytes", "bytes", "headroom to aim for"}, s.reserve_high_bytes);
  visit(Field{"major_faults_per_s", "1/s", "own faults that needed I/O"}, s.major_faults_per_s);
  visit(Field{"peers_bytes", "bytes", "held by those who share the need"}, s.peers_bytes);
}

}  // namespace kvpsi
