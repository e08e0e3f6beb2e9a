// SPDX-License-Identifier: MIT
// See rival_common.h.
#include "sim/rival_common.h"

#include <algorithm>

#include "policy/arith.h"

namespace kvpsi {

Decided begin_rival(const PolicyState& state, std::uint64_t wake_us) {
  Decided result;
  result.state = state;
  result.decision.id = ++result.state.decisions;
  result.decision.wake_after_us = wake_us;
  return result;
}

std::optional<RivalMemory> find_memory(const Sample& sample) {
  const Wide weights = std::max(sample.own_file_bytes, sample.own_file_wanted_bytes);
  std::optional<RivalMemory> tightest;
  const auto consider = [&](Wide free_bytes, std::uint64_t total_bytes) {
    if (total_bytes == 0) return;
    const RivalMemory memory{saturate(free_bytes - weights), total_bytes};
    const auto share = [](const RivalMemory& of) {
      return static_cast<double>(of.free_bytes) / static_cast<double>(of.total_bytes);
    };
    if (!tightest || share(memory) < share(*tightest)) tightest = memory;
  };
  if (sample.mem_available_bytes && sample.mem_total_bytes) {
    consider(Wide{*sample.mem_available_bytes}, *sample.mem_total_bytes);
  }
  if (sample.group_limit_bytes && sample.group_usage_bytes) {
    const Wide file = sample.group_file_bytes.value_or(0);
    consider(Wide{*sample.group_limit_bytes} - *sample.group_usage_bytes + file,
             *sample.group_limit_bytes);
  }
  return tightest;
}

void RivalCache::settle(const Outcomes& outcomes) {
  for (const Outcome& outcome : outcomes) {
    if (outcome.verb == Verb::trim && outcome.status != Status::queued) is_trimming_ = false;
  }
}

void RivalCache::release(const PolicyConfig& config, Decision& decision) {
  if (!config.release_allowed) return;
  for (const PoolKind pool : {PoolKind::kv, PoolKind::scratch}) {
    decision.actions.push_back(Action{decision.id, Verb::release, pool, 0, config.step_budget_us});
  }
  decision.reason = Reason::need;
}

void RivalCache::hold(const PoolView& kv, std::uint64_t bytes, const PolicyConfig& config,
                      Decision& decision) {
  const std::uint64_t size = std::max(bytes, config.kv_min_bytes);
  if (!config.trim_allowed) {
    if (size < full_size(kv, config)) decision.kv_budget_bytes = size;
    return;
  }
  const std::uint64_t over = std::min(minus(kv.live_bytes, size), kv.trimmable_bytes);
  if (is_trimming_ || over < std::max<std::uint64_t>(kv.granule_bytes, 1)) return;
  decision.actions.push_back(
      Action{decision.id, Verb::trim, PoolKind::kv, over, config.step_budget_us});
  decision.reason = Reason::need;
  decision.need_bytes = over;
  is_trimming_ = true;
}

}  // namespace kvpsi
