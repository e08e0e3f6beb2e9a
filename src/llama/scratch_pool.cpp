// SPDX-License-Identifier: MIT
// See scratch_pool.h. How much of a buffer is resident depends on the longest batch since the last
// release; the page map is asked soon after a long one and rarely otherwise (0.3 to 1.5 ms).
#include "llama/scratch_pool.h"

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "linux/pages.h"
#include "llama/buffer_registry.h"
#include "llama/release_slices.h"

namespace kvpsi {

namespace {

constexpr std::uint64_t kMeasureAfterPrefillUs = 200'000;
constexpr std::uint64_t kMeasureAfterTokenUs = 2'000'000;

std::uint64_t sum(std::span<const PageRange> ranges) {
  std::uint64_t bytes = 0;
  for (const PageRange& range : ranges) bytes += range.bytes();
  return bytes;
}

}  // namespace

void ScratchPool::on_decoded(std::uint64_t tokens) {
  most_tokens_ = std::max(most_tokens_, tokens);
  used_us_ = monotonic_us();
}

PoolView ScratchPool::look() {
  PoolView view;
  const std::uint64_t now = monotonic_us();
  const std::uint64_t interval = most_tokens_ > 1 ? kMeasureAfterPrefillUs : kMeasureAfterTokenUs;
  const bool due = measured_us_ == 0 || (most_tokens_ > 0 && now - measured_us_ >= interval);
  BufferRegistry::instance().with_pages_of(owner_, [&](std::span<const PageRange> ranges) {
    view.reserved_bytes = sum(ranges);
    if (!due) return;
    measured_us_ = now;
    most_tokens_ = 0;
    resident_bytes_ = resident_exclusive_bytes(ranges).value_or(view.reserved_bytes);
  });
  view.resident_bytes = std::min(resident_bytes_, view.reserved_bytes);
  most_resident_bytes_ = std::max(most_resident_bytes_, view.resident_bytes);
  view.surge_bytes = most_resident_bytes_ - view.resident_bytes;  // with the next decode
  view.releasable_bytes = may_release_ ? view.resident_bytes : 0;
  if (now - used_us_ >= idle_us_) view.idle_bytes = view.releasable_bytes;
  view.granule_bytes = page_bytes();
  return view;
}

bool ScratchPool::is_allowed(Verb, Moment moment) const { return moment != Moment::in_decode; }

int ScratchPool::refusal(Verb verb) const {
  if (verb != Verb::release) return ENOTSUP;
  return may_release_ ? 0 : EPERM;
}

Outcome ScratchPool::perform(const Action& action, Moment /*moment*/, const Outcome& /*so_far*/) {
  SliceRelease slices;
  BufferRegistry::instance().with_pages_of(owner_, [&](std::span<const PageRange> ranges) {
    slices = release_in_slices(ranges, resume_at_, action.budget_us);
  });
  counters_.add_release(counters_.scratch_bytes_released, slices.bytes_released, slices.took_us,
                        monotonic_us());
  resume_at_ = slices.resume_at;
  resident_bytes_ -= std::min(resident_bytes_, slices.bytes_released);
  Outcome outcome;
  outcome.bytes_released = slices.bytes_released;
  outcome.errno_value = slices.first_errno;
  if (slices.first_errno != 0 && slices.bytes_released == 0) {
    outcome.status = Status::failed;
  } else if (resume_at_ != 0) {
    outcome.status = Status::more;
  } else {
    outcome.status = slices.bytes_released > 0 ? Status::done : Status::nothing;
    resident_bytes_ = 0;
    most_tokens_ = 0;
    measured_us_ = monotonic_us();
  }
  return outcome;
}

void ScratchPool::measure(ContextMemory& out) {
  BufferRegistry::instance().with_pages_of(owner_, [&](std::span<const PageRange> ranges) {
    out.scratch_reserved_bytes = sum(ranges);
    out.scratch_resident_bytes = resident_exclusive_bytes(ranges).value_or(0);
  });
}

}  // namespace kvpsi
