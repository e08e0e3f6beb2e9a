// SPDX-License-Identifier: MIT
// Parser of /proc/vmstat: reclaim and swapping of the whole machine. It does not move while only a
// group's own limit causes reclaim. Pure; never allocates on success.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace kvpsi {

/// Pages since boot; empty where the kernel does not print the counters.
struct Vmstat {
  std::optional<std::uint64_t> scan_pages_total;    ///< pgscan_direct + pgscan_kswapd
  std::optional<std::uint64_t> swapin_pages_total;  ///< pswpin
};

/// Errors: malformed where one of the lines is there without a number.
Result<Vmstat> parse_vmstat(std::string_view text);

}  // namespace kvpsi
