// SPDX-License-Identifier: MIT
// The rival `cachelib`: CacheLib's MemoryMonitor in its FreeMemory mode (allocator/MemoryMonitor.h,
// website docs "Oom protection"). Pure. Next hop: sim/laws.h.
#pragma once

#include <cstdint>

#include "sim/rival_common.h"

namespace kvpsi {

/// Published constants, taken as they are: lowerLimitGB 10, upperLimitGB 15,
/// maxAdvisePercentPerIter 5 and maxReclaimPercentPerIter 5 (of upper - lower), maxAdvisePercent 20
/// (of the cache; once more than that is given away it stops), reclaimRateLimitWindowSecs 0 (off).
/// One iteration a second. Below the lower limit a step is advised away, above the upper one a step
/// is taken back.
///
/// Mapped: the limits are meant for a big machine; its documentation shows them on one of 144 GB.
/// So they are 10/144 and 15/144 of the machine, or of the tighter limit, at most 10 and 15 GiB.
/// The cache -> the KV that is live when the first step is given away (a KV cache is seldom full,
/// and to give away what is not there would help nobody). Advising also releases free pages and
/// scratch.
class CachelibLaw {
 public:
  Decided operator()(const PolicyState& state, const Observation& observation,
                     const PolicyConfig& config);

  /// Given away at the moment.
  std::uint64_t advised_bytes() const { return advised_bytes_; }

 private:
  void iterate(const RivalMemory& memory, const PoolView& kv, const PolicyConfig& config,
               Decision& decision);

  RivalCache cache_;
  std::uint64_t iterated_us_ = 0;  ///< 0 = never
  std::uint64_t size_bytes_ = 0;   ///< of the cache when the first step was given away
  std::uint64_t advised_bytes_ = 0;
};

}  // namespace kvpsi
