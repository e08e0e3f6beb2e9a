// SPDX-License-Identifier: MIT
// The proof that released pages really come back on this machine, on memory of its own: map, touch,
// measure, release, measure. Doctor shows it; it is also the pattern for the start-up self-check on
// real pools.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace kvpsi {

/// What was seen; bytes are exclusive pages by page map.
struct ScratchProof {
  std::uint64_t mapped_bytes = 0;
  std::uint64_t resident_before_bytes = 0;  ///< after touching every page
  std::uint64_t resident_after_bytes = 0;   ///< after the release
  std::uint64_t bytes_returned = 0;
  std::uint64_t release_us = 0;
  bool reads_zero = false;  ///< the released memory reads as zeros, as MADV_DONTNEED promises
  bool ok = false;          ///< all touched pages were seen, and all came back
};

/// Maps `mib` MiB (1 to 4096) of private anonymous memory, and unmaps it in any case. The mapping
/// is aligned to 2 MiB and, with `huge`, asks for huge pages. Any thread.
/// Errors: invalid_argument; exhausted where the mapping is refused; those of pagemap.h.
Result<ScratchProof> prove_pages_return(std::uint64_t mib = 8, bool huge = false);

}  // namespace kvpsi
