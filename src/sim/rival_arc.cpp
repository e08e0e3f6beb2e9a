// SPDX-License-Identifier: MIT
// See rival_arc.h.
#include "sim/rival_arc.h"

#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "policy/arith.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kCheckUs = 1'000'000;
constexpr std::uint64_t kReapRetryUs = 1'000'000;
constexpr std::uint64_t kGrowRetryUs = 5'000'000;
constexpr unsigned kShrinkShift = 7;
constexpr unsigned kNoGrowShift = 5;
/// Eviction follows insertion closely there; four looks a second come near it.
constexpr std::uint64_t kWakeUs = 250'000;

}  // namespace

std::uint64_t arc_sys_free_bytes(std::uint64_t all_bytes) {
  const double kib = std::sqrt(static_cast<double>(all_bytes) / kKiB * 16);
  const std::uint64_t watermark = std::clamp(to_bytes(kib * kKiB), 128 * kKiB, 256 * kMiB);
  return watermark * 15 / 2 + all_bytes / 32;
}

void ArcLaw::check(std::uint64_t now_us, std::int64_t available, Decision& decision,
                   const PolicyConfig& config) {
  if (now_us >= checked_us_ && is_within(now_us, checked_us_, kCheckUs)) return;
  checked_us_ = stamp(now_us);
  if (available < 0) {
    no_grow_ = true;
    grow_us_ = now_us + kGrowRetryUs;
    reaped_us_ = checked_us_;
    RivalCache::release(config, decision);
  } else if (Wide{available} < Wide{size_bytes_ >> kNoGrowShift}) {
    no_grow_ = true;
  } else if (now_us >= grow_us_) {
    no_grow_ = false;
  }
}

void ArcLaw::reduce(std::int64_t available, const PoolView& kv, std::uint64_t least) {
  const Wide to_free = Wide{minus(size_bytes_, least) >> kShrinkShift} - available;
  if (size_bytes_ <= least || to_free <= 0) return;
  const Wide left = Wide{std::min(size_bytes_, kv.live_bytes)} - to_free;
  size_bytes_ = static_cast<std::uint64_t>(std::max(left, Wide{least}));
}

Decided ArcLaw::operator()(const PolicyState& state, const Observation& observation,
                           const PolicyConfig& config) {
  Decided result = begin_rival(state, kWakeUs);
  const PoolView* kv = find_pool(observation.pools, PoolKind::kv);
  const auto memory = find_memory(observation.sample);
  cache_.settle(observation.outcomes);
  if (kv == nullptr || !memory || observation.paused) return result;
  const std::uint64_t now_us = observation.sample.t_us;
  const std::int64_t available =
      saturate(Wide{memory->free_bytes} - arc_sys_free_bytes(memory->total_bytes));
  if (available < 0) result.decision.level = Level::high;
  const std::uint64_t full = full_size(*kv, config);
  if (size_bytes_ == 0) size_bytes_ = full;
  if (reaped_us_ != 0 && !is_within(now_us, reaped_us_, kReapRetryUs)) {
    reaped_us_ = 0;
    reduce(available, *kv, std::min(config.kv_min_bytes, full));
  }
  if (reaped_us_ == 0) check(now_us, available, result.decision, config);
  if (!no_grow_) size_bytes_ = full;
  cache_.hold(*kv, size_bytes_, config, result.decision);
  return result;
}

}  // namespace kvpsi
