// SPDX-License-Identifier: MIT
// See soft_max.h. A collector that is told a goal far below what lives works without end and gains
// nothing; hence the warning.
#include "policy/soft_max.h"

#include <algorithm>

namespace kvpsi {

std::optional<std::uint64_t> bound_by_soft_max(std::optional<std::uint64_t> budget_bytes,
                                               std::optional<std::uint64_t> soft_max_bytes) {
  if (!soft_max_bytes) return budget_bytes;
  return std::min(budget_bytes.value_or(*soft_max_bytes), *soft_max_bytes);
}

bool is_soft_max_churning(std::optional<std::uint64_t> soft_max_bytes, std::uint64_t live_bytes) {
  return soft_max_bytes && *soft_max_bytes < live_bytes / 2;
}

}  // namespace kvpsi
