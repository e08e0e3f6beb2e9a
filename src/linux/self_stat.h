// SPDX-License-Identifier: MIT
// Parsers of /proc/<pid>/status and /proc/<pid>/stat: the own memory by kind, page faults, and
// capabilities. Pure; never allocates on success. Next hop: kernel_source samples them,
// own_memory.h and process.h read them once.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace kvpsi {

/// The lines of /proc/<pid>/status that matter here; a line the kernel does not print is empty
/// (kernel threads have none of the Vm lines, kernels without swap no VmSwap).
struct SelfStatus {
  std::optional<std::uint64_t> rss_anon_bytes;   ///< RssAnon
  std::optional<std::uint64_t> rss_file_bytes;   ///< RssFile
  std::optional<std::uint64_t> rss_shmem_bytes;  ///< RssShmem
  std::optional<std::uint64_t> swap_bytes;       ///< VmSwap
  std::optional<std::uint64_t> hwm_bytes;        ///< VmHWM, the peak of resident memory
  std::optional<std::uint64_t> locked_bytes;     ///< VmLck
  std::optional<std::uint64_t> capabilities;     ///< CapEff as a bit set
};

/// Errors: malformed where a line is there without its number and unit, or none is there at all.
Result<SelfStatus> parse_self_status(std::string_view text);

/// majflt, field 12 of /proc/<pid>/stat; the name in field 2 may hold blanks and parentheses.
/// Errors: malformed.
Result<std::uint64_t> parse_major_faults(std::string_view text);

}  // namespace kvpsi
