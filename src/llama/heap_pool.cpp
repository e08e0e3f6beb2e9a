// SPDX-License-Identifier: MIT
// See heap_pool.h. mallinfo2 walks the free lists under each arena's lock, so it is asked at most
// once a second.
#include "llama/heap_pool.h"

#include <malloc.h>

#include <cerrno>

#include "base/clock.h"
#include "linux/own_memory.h"

namespace kvpsi {

namespace {

constexpr std::uint64_t kLookIntervalUs = 1'000'000;

}  // namespace

PoolView HeapPool::view() {
  const std::uint64_t now = monotonic_us();
  if (looked_us_ != 0 && now - looked_us_ < kLookIntervalUs) return view_;
  looked_us_ = now;
  const struct mallinfo2 info = mallinfo2();
  const std::uint64_t free_bytes = info.fordblks;
  if (free_bytes < free_after_trim_bytes_) free_after_trim_bytes_ = free_bytes;
  view_ = {};
  view_.kind = PoolKind::heap;
  view_.t_us = now;
  view_.reserved_bytes = info.arena;
  view_.live_bytes = info.uordblks;
  view_.resident_bytes = view_.live_bytes + (free_bytes - free_after_trim_bytes_);
  view_.releasable_bytes = may_release_ ? free_bytes - free_after_trim_bytes_ : 0;
  view_.granule_bytes = 4096;
  return view_;
}

Outcome HeapPool::apply(const Action& action) {
  Outcome outcome;
  outcome.decision_id = action.decision_id;
  outcome.verb = action.verb;
  outcome.pool = PoolKind::heap;
  outcome.t_us = monotonic_us();
  if (action.verb != Verb::release || !may_release_) {
    outcome.status = Status::failed;
    outcome.errno_value = action.verb == Verb::release ? EPERM : ENOTSUP;
    return outcome;
  }
  const std::uint64_t start = outcome.t_us;
  const auto trimmed = trim_heap();
  outcome.t_us = monotonic_us();
  outcome.duration_us = outcome.t_us - start;
  if (trimmed) outcome.bytes_released = trimmed->bytes_returned();
  outcome.status = outcome.bytes_released > 0 ? Status::done : Status::nothing;
  counters_.add_release(counters_.heap_bytes_released, outcome.bytes_released, outcome.duration_us,
                        outcome.t_us);
  free_after_trim_bytes_ = mallinfo2().fordblks;
  looked_us_ = 0;
  return outcome;
}

void HeapPool::drain(Outcomes&) {}

}  // namespace kvpsi
