// SPDX-License-Identifier: MIT
// See meminfo.h.
#include "linux/meminfo.h"

#include "linux/text_scan.h"

namespace kvpsi {

Result<Meminfo> parse_meminfo(std::string_view text) {
  const FoundValue total = find_kib(text, "MemTotal");
  const FoundValue available = find_kib(text, "MemAvailable");
  const FoundValue swap_total = find_kib(text, "SwapTotal");
  const FoundValue swap_free = find_kib(text, "SwapFree");
  if (!total.value || available.is_malformed() || swap_total.is_malformed() ||
      swap_free.is_malformed()) {
    return fail(ErrorCode::malformed, "a meminfo file lacks MemTotal or a number of kB");
  }
  return Meminfo{.total_bytes = *total.value,
                 .available_bytes = available.value,
                 .swap_total_bytes = swap_total.value,
                 .swap_free_bytes = swap_free.value};
}

}  // namespace kvpsi
