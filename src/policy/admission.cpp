// SPDX-License-Identifier: MIT
// See admission.h.
#include "policy/admission.h"

#include "base/prng.h"
#include "policy/arith.h"

namespace kvpsi {
namespace {

/// A level is held for seconds after its cause; then it says only that memory was short.
bool is_pressed(const Tick& tick) {
  return tick.decision.reason != Reason::at_rest && tick.decision.reason != Reason::edge;
}

bool is_short(const Tick& tick) {
  const auto reserve = static_cast<std::int64_t>(tick.signal.reserve_low_bytes);
  return is_pressed(tick) || tick.signal.headroom_bytes < reserve;
}

Refusal find_refusal(const Tick& tick, const Workload& work) {
  const Decision& decision = tick.decision;
  if (decision.level == Level::critical && is_pressed(tick)) return Refusal::critical;
  if (work.waiting > 0) return Refusal::turn;
  if (work.running == 0) return Refusal::none;
  if (decision.level >= Level::high && is_short(tick)) return Refusal::high;
  if (surge_missing_bytes(tick.signal) > 0) return Refusal::edge;
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  const bool is_full =
      kv != nullptr && decision.kv_budget_bytes && kv->live_bytes >= *decision.kv_budget_bytes;
  return is_full ? Refusal::budget : Refusal::none;
}

}  // namespace

Admission admit(const Tick& tick, const Workload& work) {
  const bool is_stale = minus(work.now_us, tick.observation.sample.t_us) > kTurnStaleUs;
  if (is_stale || tick.dry_run || tick.observation.paused) return {};
  Admission admission;
  admission.refusal = find_refusal(tick, work);
  if (admission.admits()) return admission;
  const unsigned least_s = admission.refusal == Refusal::critical ? 5 : 2;
  Prng random(work.request);
  admission.retry_after_s = least_s + static_cast<unsigned>(random.below(least_s + 1));
  return admission;
}

}  // namespace kvpsi
