// SPDX-License-Identifier: MIT
// Parser of /proc/meminfo: the machine's memory. Pure; never allocates on success.
// Next hop: kernel_source samples it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace kvpsi {

/// Bytes. MemAvailable counts page cache that looks reclaimable, mapped weights included; who
/// needs these mapped must subtract them. Empty: the kernel does not print the line.
struct Meminfo {
  std::uint64_t total_bytes = 0;
  std::optional<std::uint64_t> available_bytes;
  std::optional<std::uint64_t> swap_total_bytes;
  std::optional<std::uint64_t> swap_free_bytes;
};

/// Errors: malformed without MemTotal, or where a line lacks its number of kB.
Result<Meminfo> parse_meminfo(std::string_view text);

}  // namespace kvpsi
