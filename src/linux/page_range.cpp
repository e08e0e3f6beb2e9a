// SPDX-License-Identifier: MIT
// See page_range.h.
#include "linux/page_range.h"

#include <unistd.h>

#include <algorithm>

namespace kvpsi {

std::uint64_t page_bytes() {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

PageRange round_inwards(std::uintptr_t begin, std::uintptr_t end) {
  const std::uintptr_t mask = page_bytes() - 1;
  const std::uintptr_t first = begin > UINTPTR_MAX - mask ? end & ~mask : (begin + mask) & ~mask;
  return {first, std::max(first, end & ~mask)};
}

}  // namespace kvpsi
