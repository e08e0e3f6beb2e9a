// SPDX-License-Identifier: MIT
// What was given back, and taken again, since a context was attached. Written by whichever thread
// acts, read by any.
#pragma once

#include <atomic>
#include <cstdint>

namespace kvpsi {

struct Counters {
  std::atomic<std::uint64_t> prunes{0};
  std::atomic<std::uint64_t> tokens_trimmed{0};
  std::atomic<std::uint64_t> tokens_restored{0};
  std::atomic<std::uint64_t> tokens_reevaluated{0};
  std::atomic<std::uint64_t> tokens_lost{0};
  std::atomic<std::uint64_t> bytes_spilled{0};
  std::atomic<std::uint64_t> bytes_restored{0};
  std::atomic<std::uint64_t> restore_us{0};
  std::atomic<std::uint64_t> reduced_context_us{0};
  std::atomic<std::uint64_t> kv_bytes_released{0};
  std::atomic<std::uint64_t> scratch_bytes_released{0};
  std::atomic<std::uint64_t> heap_bytes_released{0};
  std::atomic<std::uint64_t> release_us{0};
  std::atomic<std::uint64_t> first_release_us{0};  ///< monotonic; 0 = nothing came back yet

  /// Notes one release that ended at `now_us`.
  void add_release(std::atomic<std::uint64_t>& pool, std::uint64_t bytes, std::uint64_t took_us,
                   std::uint64_t now_us) {
    pool.fetch_add(bytes, std::memory_order_relaxed);
    release_us.fetch_add(took_us, std::memory_order_relaxed);
    std::uint64_t never = 0;
    if (bytes > 0) first_release_us.compare_exchange_strong(never, now_us);
  }
};

}  // namespace kvpsi
