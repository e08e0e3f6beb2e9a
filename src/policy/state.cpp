// SPDX-License-Identifier: MIT
// The digest of a policy state; see state.h.
#include "policy/state.h"

#include <algorithm>

namespace kvpsi {
namespace {

void add_in_flight(Hash64& hash, const InFlight& in_flight) {
  hash.add(in_flight.decision_id);
  hash.add(in_flight.bytes);
}

void add_effort(Hash64& hash, const Effort& effort) {
  add_in_flight(hash, effort.in_flight);
  hash.add(effort.asked_id);
  hash.add(effort.asked_bytes);
  hash.add(effort.asked_us);
  hash.add(effort.for_need);
  hash.add(effort.is_part);
  hash.add(effort.bytes_per_s);
  hash.add(effort.again);
  hash.add(effort.done);
  hash.add(effort.hold_us);
  hash.add(effort.hold_until_us);
}

}  // namespace

void add_to_hash(Hash64& hash, const Point& p) {
  for (const std::uint64_t value :
       {p.t_us, p.own_some_us, p.own_full_us, p.parent_some_us, p.parent_full_us, p.system_some_us,
        p.system_full_us, p.scan_pages, p.swapin_pages, p.refault_pages, p.limit_hits, p.oom_kills,
        p.major_faults, p.hints, p.present}) {
    hash.add(value);
  }
  hash.add(p.headroom_bytes);
  hash.add(p.foreign_room_bytes);
  hash.add(p.others_file_bytes);
  hash.add(p.scope);
}

void forget_future(PolicyState& s, std::uint64_t now_us) {
  for (std::uint64_t* since : {&s.own_file_most_us, &s.quiet_since_us,
                               &s.sign_since_us,    &s.last_sign_us,
                               &s.last_stall_us,    &s.step_end_us,
                               &s.step_asked_us,    &s.slid_us,
                               &s.futile_until_us,  &s.last_tidy_us,
                               &s.pressed_us,       &s.grown_us,
                               &s.undone_us,        &s.bad_us,
                               &s.spill.asked_us,   &s.spill.hold_until_us,
                               &s.compact.asked_us, &s.compact.hold_until_us,
                               &s.restore.asked_us, &s.restore.hold_until_us,
                               &s.restored_us,      &s.restore_undone_us}) {
    *since = std::min(*since, now_us);
  }
}

std::uint64_t state_hash(const PolicyState& s) {
  Hash64 hash;
  hash.add(s.decisions);
  hash.add(s.history_digest);
  hash.add(s.history.size());
  hash.add(s.own_file_wanted_bytes);
  hash.add(s.own_file_most_bytes);
  hash.add(s.own_file_most_us);
  hash.add(s.has_previous);
  add_to_hash(hash, s.previous);
  hash.add(s.level);
  hash.add(s.quiet_since_us);
  hash.add(s.sign_seen);
  hash.add(s.sign_since_us);
  hash.add(s.last_sign_us);
  hash.add(s.last_stall_us);
  hash.add(s.unseen_bytes);
  for (const InFlight& release : s.releases) add_in_flight(hash, release);
  add_in_flight(hash, s.trim);
  hash.add(s.again_pools);
  hash.add(s.trim_again);
  hash.add(s.step_end_us);
  hash.add(s.step_was_trim);
  add_effort(hash, s.spill);
  add_effort(hash, s.compact);
  hash.add(s.step_asked_us);
  hash.add(s.slid_us);
  hash.add(s.trim_asked_id);
  hash.add(s.trim_asked_bytes);
  hash.add(s.trim_for_need);
  hash.add(s.efficacy);
  hash.add(s.episode_some);
  hash.add(s.effective_steps);
  hash.add(s.effective_id);
  hash.add(s.ineffective_steps);
  hash.add(s.held_at_steps);
  hash.add(s.futile_until_us);
  hash.add(s.futile_hold_us);
  hash.add(s.last_tidy_us);
  hash.add(s.is_bounded);
  hash.add(s.budget_bytes);
  hash.add(s.offered_bytes);
  hash.add(s.pressed_us);
  hash.add(s.grown_us);
  hash.add(s.grown_to_bytes);
  hash.add(s.undone_us);
  hash.add(s.bad_bytes);
  hash.add(s.bad_us);
  add_effort(hash, s.restore);
  hash.add(s.restored_us);
  hash.add(s.restore_undone_us);
  return hash.value();
}

}  // namespace kvpsi
