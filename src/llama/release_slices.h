// SPDX-License-Identifier: MIT
// Releases page ranges slice by slice, each measured by page map before and after, so that bytes
// are counted, not hoped for, and the time limit holds for a cache of any size.
// Next hop: linux/pages.h, linux/pagemap.h.
#pragma once

#include <cstdint>
#include <span>

#include "base/page_range.h"
#include "llama/elastic.h"

namespace kvpsi {

struct SliceRelease {
  std::uint64_t bytes_released = 0;  ///< exclusive pages before minus after; 0 where unreadable
  std::uint64_t took_us = 0;
  std::uintptr_t resume_at = 0;  ///< address to go on from; 0 = everything was dealt with
  int first_errno = 0;           ///< EINVAL: mlocked; the range was skipped
};

/// Releases the ranges from address `from` on, until done or until budget_us (0 = none) is used up;
/// at least one slice is done. The caller keeps everybody off the ranges. Does not allocate.
SliceRelease release_in_slices(std::span<const PageRange> ranges, std::uintptr_t from,
                               std::uint64_t budget_us);

/// Writes to the last pages of the ranges (1 MiB at most), releases them and measures. The pages
/// must be free to lose.
SelfCheck check_release(std::span<const PageRange> free_pages);

}  // namespace kvpsi
