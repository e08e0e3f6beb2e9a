// SPDX-License-Identifier: MIT
// HeapPool: free chunks that malloc keeps. malloc_trim needs no safe point, glibc locks its arenas
// itself, so this pool never queues. Next hop: linux/own_memory.h.
#pragma once

#include <cstdint>

#include "govern/ports.h"
#include "llama/counters.h"

namespace kvpsi {

/// Governor thread only.
class HeapPool final : public MemoryPool {
 public:
  HeapPool(bool may_release, Counters& counters) : may_release_(may_release), counters_(counters) {}

  PoolKind kind() const override { return PoolKind::heap; }
  PoolView view() override;
  Outcome apply(const Action& action) override;
  void drain(Outcomes& ended) override;

 private:
  const bool may_release_;
  Counters& counters_;
  PoolView view_;
  std::uint64_t looked_us_ = 0;
  std::uint64_t free_after_trim_bytes_ = 0;  ///< in malloc's lists, but already without pages
};

}  // namespace kvpsi
