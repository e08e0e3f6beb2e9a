// SPDX-License-Identifier: MIT
// See rival_senpai.h.
#include "sim/rival_senpai.h"

#include <algorithm>
#include <cmath>

#include "policy/arith.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kTickUs = 1'000'000;
constexpr double kPressureUs = 10'000;
constexpr std::uint64_t kInterval = 6;
constexpr double kMaxProbe = 0.01;
constexpr double kCoeffProbe = 10;
constexpr double kMaxBackoff = 1.0;
constexpr double kCoeffBackoff = 20;

double adjustment(double error, double coefficient, double most) {
  return std::min(std::pow(error / coefficient, 2) * most, most);
}

}  // namespace

void SenpaiLaw::begin(const Sample& sample, const PoolView& kv) {
  ticked_us_ = stamp(sample.t_us);
  stall_us_total_ = sample.psi_own->some_us_total;
  integral_us_ = 0;
  live_bytes_ = kv.live_bytes;
  limit_bytes_ = kv.resident_bytes;
  grace_ticks_ = kInterval - 1;
}

bool SenpaiLaw::integrate(const Sample& sample, const PoolView& kv) {
  const std::uint64_t total = sample.psi_own->some_us_total;
  if (ticked_us_ == 0 || total < stall_us_total_ || sample.t_us < ticked_us_) {
    begin(sample, kv);
    return false;
  }
  integral_us_ += total - stall_us_total_;
  const bool grew = kv.live_bytes > live_bytes_ && kv.live_bytes > limit_bytes_ + kv.granule_bytes;
  if (grew) integral_us_ += sample.t_us - ticked_us_;
  live_bytes_ = kv.live_bytes;
  stall_us_total_ = total;
  ticked_us_ = sample.t_us;
  return true;
}

void SenpaiLaw::adjust(double factor, const PoolView& kv, const PolicyConfig& config) {
  const std::uint64_t most = std::max(full_size(kv, config), config.kv_min_bytes);
  limit_bytes_ = std::clamp(to_bytes(static_cast<double>(limit_bytes_) * (1 + factor)),
                            config.kv_min_bytes, most);
  integral_us_ = 0;
  grace_ticks_ = kInterval - 1;
}

Decided SenpaiLaw::operator()(const PolicyState& state, const Observation& observation,
                              const PolicyConfig& config) {
  Decided result = begin_rival(state, kTickUs);
  const Sample& sample = observation.sample;
  const PoolView* kv = find_pool(observation.pools, PoolKind::kv);
  cache_.settle(observation.outcomes);
  result.signal.psi_present = sample.psi_own.has_value();
  if (kv == nullptr || !sample.psi_own || observation.paused) {
    ticked_us_ = 0;
    return result;
  }
  if (is_within(sample.t_us, ticked_us_, kTickUs) && sample.t_us >= ticked_us_) return result;
  if (!integrate(sample, *kv)) return result;
  const auto integral = static_cast<double>(integral_us_);
  if (integral > kPressureUs) {
    adjust(adjustment(integral / kPressureUs, kCoeffBackoff, kMaxBackoff), *kv, config);
    limit_bytes_ = std::max(limit_bytes_, std::min(kv->live_bytes, full_size(*kv, config)));
    return result;
  }
  if (grace_ticks_ > 0) {
    --grace_ticks_;
    return result;
  }
  adjust(-adjustment(kPressureUs / std::max(integral, 1.0), kCoeffProbe, kMaxProbe), *kv, config);
  if (kv->resident_bytes > limit_bytes_) RivalCache::release(config, result.decision);
  if (config.trim_allowed) cache_.hold(*kv, limit_bytes_, config, result.decision);
  return result;
}

}  // namespace kvpsi
