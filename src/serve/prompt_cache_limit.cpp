// SPDX-License-Identifier: MIT
// See prompt_cache_limit.h.
#include "serve/prompt_cache_limit.h"

#include <algorithm>

#include "base/bytes.h"

namespace kvpsi {

std::uint64_t choose_prompt_cache_mib(std::uint64_t spill_room_bytes, const Sample& machine) {
  if (spill_room_bytes > 0) {
    return std::clamp<std::uint64_t>(spill_room_bytes / 2 / kMiB, 1, kServerCacheMib);
  }
  constexpr std::uint64_t kUnknown = 16 * kServerCacheMib * kMiB;
  const std::uint64_t memory = std::min(machine.mem_total_bytes.value_or(kUnknown),
                                        machine.group_limit_bytes.value_or(kUnknown));
  return std::clamp<std::uint64_t>(memory / 16 / kMiB, 16, kServerCacheMib);
}

}  // namespace kvpsi
