// SPDX-License-Identifier: MIT
// See rival_cachelib.h.
#include "sim/rival_cachelib.h"

#include <algorithm>

#include "base/bytes.h"
#include "policy/arith.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kPeriodUs = 1'000'000;
constexpr double kLowerShare = 10.0 / 144;
constexpr double kUpperShare = 15.0 / 144;
constexpr std::uint64_t kLowerBytes = 10 * kGiB;
constexpr std::uint64_t kUpperBytes = 15 * kGiB;
constexpr std::uint64_t kPercentPerIteration = 5;
constexpr std::uint64_t kMaxAdvisePercent = 20;
/// An item that comes in evicts another at once there; four looks a second come near it.
constexpr std::uint64_t kWakeUs = 250'000;

std::uint64_t lower_limit(const RivalMemory& memory) {
  return std::min(share_of(memory.total_bytes, kLowerShare), kLowerBytes);
}

}  // namespace

void CachelibLaw::iterate(const RivalMemory& memory, const PoolView& kv, const PolicyConfig& config,
                          Decision& decision) {
  const std::uint64_t lower = lower_limit(memory);
  const std::uint64_t upper = std::min(share_of(memory.total_bytes, kUpperShare), kUpperBytes);
  const std::uint64_t step = (upper - lower) * kPercentPerIteration / 100;
  if (Wide{memory.free_bytes} < Wide{lower}) {
    RivalCache::release(config, decision);
    if (advised_bytes_ == 0) size_bytes_ = kv.live_bytes;
    const bool is_spent = Wide{advised_bytes_} * 100 > Wide{size_bytes_} * kMaxAdvisePercent;
    if (!is_spent) advised_bytes_ = std::min(advised_bytes_ + step, size_bytes_);
  } else if (Wide{memory.free_bytes} > Wide{upper}) {
    advised_bytes_ = minus(advised_bytes_, step);
  }
}

Decided CachelibLaw::operator()(const PolicyState& state, const Observation& observation,
                                const PolicyConfig& config) {
  Decided result = begin_rival(state, kWakeUs);
  const PoolView* kv = find_pool(observation.pools, PoolKind::kv);
  const auto memory = find_memory(observation.sample);
  cache_.settle(observation.outcomes);
  if (kv == nullptr || !memory || observation.paused) return result;
  if (Wide{memory->free_bytes} < Wide{lower_limit(*memory)}) result.decision.level = Level::high;
  const std::uint64_t now_us = observation.sample.t_us;
  if (now_us < iterated_us_ || !is_within(now_us, iterated_us_, kPeriodUs)) {
    iterated_us_ = stamp(now_us);
    iterate(*memory, *kv, config, result.decision);
  }
  if (advised_bytes_ > 0) {
    cache_.hold(*kv, minus(size_bytes_, advised_bytes_), config, result.decision);
  }
  return result;
}

}  // namespace kvpsi
