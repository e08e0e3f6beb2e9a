// SPDX-License-Identifier: MIT
// The rival `senpai`: Meta's Senpai (senpai.py; oomd's senpai plugin without immediate_backoff),
// which squeezes a group until it feels a little stall. Pure. Next hop: sim/laws.h.
#pragma once

#include <cstdint>

#include "sim/rival_common.h"

namespace kvpsi {

/// Published constants, taken as they are: a tick of 1 s; pressure_ms 10 (the stall allowed between
/// two adjustments), interval 6 ticks between probes, max_probe 0.01, coeff_probe 10, max_backoff
/// 1.0, coeff_backoff 20. Probe: limit *= 1 - min((pressure / integral / 10)^2, 1) * 1 %. Back off
/// at once when integral > pressure: limit *= 1 + min((integral / pressure / 20)^2, 1).
///
/// Mapped: memory.high -> the limit of the KV cache, which starts at what is resident; limit_min ->
/// kv_min_bytes, limit_max -> the whole cache. A probe releases free pages and scratch (what the
/// kernel would find cold first) and trims what is then over the limit. memory.high refuses no
/// growth but throttles it, which counts as stall there: a tick in which the cache grew over its
/// limit counts as one second of stall. KV that is dropped causes no fault later, so the squeeze
/// feels nothing of what it costs.
class SenpaiLaw {
 public:
  Decided operator()(const PolicyState& state, const Observation& observation,
                     const PolicyConfig& config);

  /// Bytes the KV cache shall hold; 0 before the first tick.
  std::uint64_t limit_bytes() const { return limit_bytes_; }

 private:
  void begin(const Sample& sample, const PoolView& kv);
  /// Adds up stall. False where there is nothing to compare with.
  bool integrate(const Sample& sample, const PoolView& kv);
  void adjust(double factor, const PoolView& kv, const PolicyConfig& config);

  RivalCache cache_;
  std::uint64_t ticked_us_ = 0;  ///< 0 = not begun
  std::uint64_t stall_us_total_ = 0;
  std::uint64_t integral_us_ = 0;  ///< stall since the last adjustment
  std::uint64_t live_bytes_ = 0;   ///< at the last tick
  std::uint64_t limit_bytes_ = 0;
  std::uint64_t grace_ticks_ = 0;
};

}  // namespace kvpsi
