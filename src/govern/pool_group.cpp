// SPDX-License-Identifier: MIT
// See pool_group.h.
#include "govern/pool_group.h"

#include <algorithm>
#include <cerrno>

namespace kvpsi {

namespace {

void add_up(const PoolView& member, PoolView& sum) {
  sum.t_us = sum.t_us == 0 ? member.t_us : std::min(sum.t_us, member.t_us);
  sum.reserved_bytes += member.reserved_bytes;
  sum.live_bytes += member.live_bytes;
  sum.resident_bytes += member.resident_bytes;
  sum.releasable_bytes += member.releasable_bytes;
  sum.spillable_bytes += member.spillable_bytes;
  sum.trimmable_bytes += member.trimmable_bytes;
  sum.compactable_bytes += member.compactable_bytes;
  sum.idle_bytes += member.idle_bytes;
  sum.spilled_bytes += member.spilled_bytes;
  sum.parked_bytes += member.parked_bytes;
  sum.trimmed_bytes += member.trimmed_bytes;
  sum.waiting_bytes += member.waiting_bytes;
  sum.surge_bytes += member.surge_bytes;
  sum.cells_total += member.cells_total;
  sum.cells_live += member.cells_live;
  sum.bytes_per_cell = std::max(sum.bytes_per_cell, member.bytes_per_cell);
  sum.granule_bytes = std::max(sum.granule_bytes, member.granule_bytes);
}

/// Cut short beats done, done beats nothing, and nothing beats a refusal: one member that can is
/// enough.
int weight(Status status) {
  switch (status) {
    case Status::queued:
      return 4;
    case Status::more:
      return 3;
    case Status::done:
      return 2;
    case Status::nothing:
      return 1;
    case Status::failed:
      break;
  }
  return 0;
}

void add_up(const Outcome& member, Outcome& sum) {
  if (weight(member.status) > weight(sum.status)) sum.status = member.status;
  if (sum.errno_value == 0) sum.errno_value = member.errno_value;
  sum.t_us = std::max(sum.t_us, member.t_us);
  sum.duration_us += member.duration_us;
  sum.bytes_released += member.bytes_released;
  sum.bytes_spilled += member.bytes_spilled;
  sum.bytes_restored += member.bytes_restored;
  sum.tokens_trimmed += member.tokens_trimmed;
  sum.tokens_restored += member.tokens_restored;
  sum.tokens_lost += member.tokens_lost;
}

using Members = FixedVector<const MemoryPool*, PoolGroup::kMaxMembers>;

void forget(const MemoryPool* pool, Members& members) {
  Members rest;
  for (const MemoryPool* const member : members) {
    if (member != pool) rest.push_back(member);
  }
  members = rest;
}

std::uint64_t moved_bytes(const Outcome& outcome) {
  return outcome.verb == Verb::restore ? outcome.bytes_restored : outcome.bytes_released;
}

}  // namespace

bool PoolGroup::add(MemoryPool& pool) {
  const std::lock_guard lock(mutex_);
  if (members_.size() == kMaxMembers) return false;
  members_.push_back(&pool);
  return true;
}

void PoolGroup::remove(const MemoryPool& pool) {
  const std::lock_guard lock(mutex_);
  std::erase(members_, &pool);
  for (Open& open : open_) forget(&pool, open.waits_for);
  close_ended();
}

PoolView PoolGroup::view() {
  const std::lock_guard lock(mutex_);
  PoolView sum;
  for (MemoryPool* const member : members_) add_up(member->view(), sum);
  sum.kind = kind_;
  return sum;
}

Outcome PoolGroup::apply(const Action& action) {
  const std::lock_guard lock(mutex_);
  Open open;
  open.sum = {.decision_id = action.decision_id, .verb = action.verb, .pool = kind_};
  open.sum.status = members_.empty() ? Status::nothing : Status::failed;
  Action left = action;
  for (MemoryPool* const member : members_) {
    const Outcome outcome = member->apply(left);
    if (outcome.status == Status::queued) {
      open.waits_for.push_back(member);
      open.sum.t_us = std::max(open.sum.t_us, outcome.t_us);
    } else {
      add_up(outcome, open.sum);
    }
    left.budget_us -= std::min(left.budget_us, outcome.duration_us);
    const bool is_sized = action.bytes != 0;
    if (is_sized) left.bytes -= std::min(left.bytes, moved_bytes(outcome));
    if ((is_sized && left.bytes == 0) || (action.budget_us != 0 && left.budget_us == 0)) break;
  }
  if (open.waits_for.empty()) return open.sum;
  if (!open_.push_back(open)) {
    open.sum.status = Status::failed;
    open.sum.errno_value = EAGAIN;
    return open.sum;
  }
  Outcome answer{.decision_id = action.decision_id, .verb = action.verb, .pool = kind_};
  answer.status = Status::queued;
  answer.t_us = open.sum.t_us;
  return answer;
}

void PoolGroup::set_budget(std::optional<std::uint64_t> live_bytes_most) {
  const std::lock_guard lock(mutex_);
  for (MemoryPool* const member : members_) member->set_budget(live_bytes_most);
}

void PoolGroup::drain(Outcomes& ended) {
  const std::lock_guard lock(mutex_);
  for (MemoryPool* const member : members_) {
    Outcomes theirs;
    member->drain(theirs);
    for (const Outcome& outcome : theirs) settle(*member, outcome);
  }
  close_ended();
  Outcomes rest;
  for (const Outcome& outcome : ended_) {
    if (!ended.push_back(outcome)) rest.push_back(outcome);
  }
  ended_ = rest;
}

/// An outcome of a member goes to the action that waits for it.
void PoolGroup::settle(const MemoryPool& from, const Outcome& outcome) {
  for (Open& open : open_) {
    const bool is_this = open.sum.decision_id == outcome.decision_id &&
                         open.sum.verb == outcome.verb &&
                         std::ranges::find(open.waits_for, &from) != open.waits_for.end();
    if (!is_this) continue;
    forget(&from, open.waits_for);
    add_up(outcome, open.sum);
    return;
  }
}

/// Actions that nobody owes anything any more are told of.
void PoolGroup::close_ended() {
  FixedVector<Open, 8> rest;
  for (const Open& open : open_) {
    if (!open.waits_for.empty() || !ended_.push_back(open.sum)) rest.push_back(open);
  }
  open_ = rest;
}

}  // namespace kvpsi
