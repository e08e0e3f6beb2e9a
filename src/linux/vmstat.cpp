// SPDX-License-Identifier: MIT
// See vmstat.h.
#include "linux/vmstat.h"

#include "linux/text_scan.h"

namespace kvpsi {

Result<Vmstat> parse_vmstat(std::string_view text) {
  const FoundValue direct = find_value(text, "pgscan_direct");
  const FoundValue kswapd = find_value(text, "pgscan_kswapd");
  const FoundValue swapin = find_value(text, "pswpin");
  if (direct.is_malformed() || kswapd.is_malformed() || swapin.is_malformed()) {
    return fail(ErrorCode::malformed, "a vmstat line has no number");
  }
  Vmstat vmstat;
  if (direct.value && kswapd.value) vmstat.scan_pages_total = *direct.value + *kswapd.value;
  vmstat.swapin_pages_total = swapin.value;
  return vmstat;
}

}  // namespace kvpsi
