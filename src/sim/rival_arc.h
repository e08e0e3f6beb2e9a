// SPDX-License-Identifier: MIT
// The rival `arc`: how OpenZFS sizes its ARC (module/zfs/arc.c: arc_reap_cb_check, arc_reap_cb,
// arc_reduce_target_size, arc_adapt; os/linux/zfs/arc_os.c: arc_set_sys_free). Pure. Next hop:
// sim/laws.h.
#pragma once

#include <cstdint>

#include "sim/rival_common.h"

namespace kvpsi {

/// Published constants, taken as they are: the check runs once a second; arc_shrink_shift 7,
/// arc_no_grow_shift 5, arc_grow_retry 5 s (60 s in illumos, before OpenZFS),
/// arc_kmem_cache_reap_retry_ms 1000; arc_sys_free = 7.5 x low watermark + 1/32 of all memory.
/// Short of memory (available = free - arc_sys_free < 0): no growth for arc_grow_retry, reap at
/// once, and a second later size = min(size, used) - ((size - c_min) / 128 - available). No growth
/// either while available < size / 32.
///
/// Mapped: the ARC -> live KV, arc_c_min -> kv_min_bytes, arc_c_max -> the whole cache, all memory
/// -> the machine or the tighter limit, reaping kmem caches -> releasing free pages and scratch.
/// Growth follows demand without a rate, as there.
class ArcLaw {
 public:
  Decided operator()(const PolicyState& state, const Observation& observation,
                     const PolicyConfig& config);

  /// The target size, arc_c; 0 before the first turn.
  std::uint64_t size_bytes() const { return size_bytes_; }
  bool may_grow() const { return !no_grow_; }

 private:
  void check(std::uint64_t now_us, std::int64_t available, Decision& decision,
             const PolicyConfig& config);
  void reduce(std::int64_t available, const PoolView& kv, std::uint64_t least);

  RivalCache cache_;
  std::uint64_t size_bytes_ = 0;
  bool no_grow_ = false;
  std::uint64_t grow_us_ = 0;     ///< arc_growtime
  std::uint64_t checked_us_ = 0;  ///< 0 = never
  std::uint64_t reaped_us_ = 0;   ///< 0 = no reap waits for its second half
};

/// arc_sys_free for that much memory: what the ARC leaves free.
std::uint64_t arc_sys_free_bytes(std::uint64_t all_bytes);

}  // namespace kvpsi
