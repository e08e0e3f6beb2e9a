// SPDX-License-Identifier: MIT
// What the rival laws share: how they see memory, and how the size that such a law sets for its
// cache becomes trims and budgets of the KV cache. Pure. Must not hold a law. Next hop: rival_*.h.
#pragma once

#include <cstdint>
#include <optional>

#include "policy/decide.h"
#include "policy/grow.h"

namespace kvpsi {

/// A turn that does nothing: counts the decision, asks to look again after `wake_us`.
Decided begin_rival(const PolicyState& state, std::uint64_t wake_us);

/// How much memory is free, and of how much.
struct RivalMemory {
  std::int64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
};

/// The tighter of machine and limit, by the share that is free. Rivals are spared a mistake that
/// none of them was made for: mapped weights count as used, though the kernel calls them available.
/// Machine: MemAvailable of MemTotal, limit: limit - usage + page cache, both less max(mapped
/// weights, weights wanted). Empty where the sample has neither.
std::optional<RivalMemory> find_memory(const Sample& sample);

/// Keeps the KV cache at a size that a law sets. One trim at a time.
class RivalCache {
 public:
  /// Reads what became of the last trim. To be called first in each turn.
  void settle(const Outcomes& outcomes);

  /// Gives back what nobody uses: free KV pages and scratch.
  static void release(const PolicyConfig& config, Decision& decision);

  /// The cache shall hold at most `bytes` (never below kv_min_bytes). Where context may be
  /// dropped, older context makes room for new, as in any cache; else new work waits.
  void hold(const PoolView& kv, std::uint64_t bytes, const PolicyConfig& config,
            Decision& decision);

 private:
  bool is_trimming_ = false;
};

}  // namespace kvpsi
