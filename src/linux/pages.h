// SPDX-License-Identifier: MIT
// Giving pages back to the kernel and setting what may happen to them. Which ranges are free is
// known elsewhere (evict/, llama/): here a range is released as told, so a wrong range loses data.
// Never allocates on the success path. Next hops, brought along by this header: pagemap.h measures
// what came of it, own_memory.h trims the heap.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "linux/own_memory.h"  // IWYU pragma: export
#include "linux/page_range.h"  // IWYU pragma: export
#include "linux/pagemap.h"     // IWYU pragma: export

namespace kvpsi {

/// What release_pages did. Bytes advised are an upper bound of what came back: pages that were not
/// resident count too; only pagemap.h knows the rest.
struct ReleaseResult {
  std::uint64_t bytes_advised = 0;
  std::size_t ranges_done = 0;    ///< leading ranges dealt with, failed ones included
  std::uintptr_t resume_at = 0;   ///< where to go on inside ranges[ranges_done]; 0 = all done
  std::size_t ranges_failed = 0;  ///< ranges of which the kernel refused at least a part
  int first_errno = 0;            ///< EINVAL: locked memory (mlock); ENOMEM: not mapped
  std::uint64_t took_us = 0;

  bool is_complete() const { return resume_at == 0; }
};

/// Releases all pages of the ranges with MADV_DONTNEED, in pieces of at most 8 MiB, until done or
/// until `budget_us` is used up (0 = no limit; at least one piece is always done). Private
/// anonymous memory reads as zero afterwards. A piece that the kernel refuses ends its range, is
/// counted, and the next range is tried. Any thread; the caller keeps others off the ranges.
/// Errors: invalid_argument for a range that is not page-aligned or runs backwards (nothing done).
Result<ReleaseResult> release_pages(std::span<const PageRange> ranges, std::uint64_t budget_us);

/// MADV_NOHUGEPAGE: with THP=always the kernel would fill a hole of 4 KiB with 2 MiB again.
/// Errors: invalid_argument as above, or unsupported where the kernel is built without THP.
Result<void> forbid_huge_pages(std::span<const PageRange> ranges);

/// MADV_DONTFORK: a forked child shares pages copy-on-write and keeps them alive after a release.
/// The child must not touch the ranges. Errors: invalid_argument, io.
Result<void> set_dont_fork(std::span<const PageRange> ranges);

}  // namespace kvpsi
