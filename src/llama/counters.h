// SPDX-License-Identifier: MIT
// What was given back, and taken again, since a context was attached. Written by whichever thread
// acts, read by any; the accounts of the sequences with the engine's mutex held.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "llama/token_account.h"

namespace kvpsi {

struct Counters {
  std::atomic<std::uint64_t> prunes{0};
  std::array<TokenAccount, 256> tokens{};  ///< by sequence; mutex held
  std::atomic<std::uint64_t> bytes_spilled{0};
  std::atomic<std::uint64_t> bytes_restored{0};
  std::atomic<std::uint64_t> restore_us{0};
  std::atomic<std::uint64_t> reduced_context_us{0};
  std::atomic<std::uint64_t> kv_bytes_released{0};
  std::atomic<std::uint64_t> scratch_bytes_released{0};
  std::atomic<std::uint64_t> heap_bytes_released{0};
  std::atomic<std::uint64_t> release_us{0};
  std::atomic<std::uint64_t> first_release_us{0};  ///< monotonic; 0 = nothing came back yet

  TokenAccount& tokens_of(std::int32_t sequence) {
    return tokens.at(static_cast<std::size_t>(sequence));
  }
  TokenAccount all_tokens() const {
    TokenAccount sum;
    for (const TokenAccount& one : tokens) sum += one;
    return sum;
  }

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
