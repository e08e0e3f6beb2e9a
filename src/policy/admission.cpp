// SPDX-License-Identifier: MIT
// See admission.h.
#include "policy/admission.h"

#include "base/prng.h"
#include "policy/arith.h"

namespace kvpsi {
namespace {

Refusal find_refusal(const Tick& tick, const Workload& work) {
  const Decision& decision = tick.decision;
  if (decision.level == Level::critical) return Refusal::critical;
  if (work.running == 0) return Refusal::none;
  if (decision.level == Level::high) return Refusal::high;
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
