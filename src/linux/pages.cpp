// SPDX-License-Identifier: MIT
// madvise calls; see pages.h. madvise and not posix_madvise: the latter ignores DONTNEED in glibc.
#include "linux/pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"

namespace kvpsi {
namespace {

/// 8 MiB of 4 KiB pages take 1.1 ms to release, the grain of the time budget.
constexpr std::uintptr_t kPieceBytes = 8 * 1024 * 1024;

bool are_page_ranges(std::span<const PageRange> ranges) {
  const std::uintptr_t mask = page_bytes() - 1;
  return std::ranges::all_of(ranges, [mask](const PageRange& range) {
    return range.begin <= range.end && ((range.begin | range.end) & mask) == 0;
  });
}

int advise(std::uintptr_t begin, std::uintptr_t end, int advice) {
  int error = 0;
  do {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the ranges are addresses by contract.
    error = ::madvise(reinterpret_cast<void*>(begin), end - begin, advice) == 0 ? 0 : errno;
  } while (error == EINTR);
  return error;
}

Result<void> advise_all(std::span<const PageRange> ranges, int advice, const char* name) {
  if (!are_page_ranges(ranges)) {
    return fail(ErrorCode::invalid_argument, std::string(name) + " needs whole pages");
  }
  for (const PageRange& range : ranges) {
    if (range.begin == range.end) continue;
    const int error = advise(range.begin, range.end, advice);
    if (error == 0) continue;
    const ErrorCode code = error == EINVAL ? ErrorCode::unsupported : ErrorCode::io;
    return fail(code, std::string(name) + " was refused by the kernel", {}, error);
  }
  return {};
}

}  // namespace

Result<ReleaseResult> release_pages(std::span<const PageRange> ranges, std::uint64_t budget_us) {
  if (!are_page_ranges(ranges)) {
    return fail(ErrorCode::invalid_argument, "release_pages needs whole pages");
  }
  const std::uint64_t start_us = monotonic_us();
  ReleaseResult result;
  for (; result.ranges_done < ranges.size(); ++result.ranges_done) {
    const PageRange& range = ranges[result.ranges_done];
    for (std::uintptr_t at = range.begin; at < range.end;) {
      const bool is_first = result.bytes_advised == 0 && result.ranges_failed == 0;
      if (budget_us != 0 && !is_first && monotonic_us() - start_us >= budget_us) {
        result.resume_at = at;
        result.took_us = monotonic_us() - start_us;
        return result;
      }
      const std::uintptr_t end = at + std::min(kPieceBytes, range.end - at);
      const int error = advise(at, end, MADV_DONTNEED);
      if (error != 0) {
        ++result.ranges_failed;
        if (result.first_errno == 0) result.first_errno = error;
        break;
      }
      result.bytes_advised += end - at;
      at = end;
    }
  }
  result.took_us = monotonic_us() - start_us;
  return result;
}

Result<void> forbid_huge_pages(std::span<const PageRange> ranges) {
  return advise_all(ranges, MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE");
}

Result<void> set_dont_fork(std::span<const PageRange> ranges) {
  return advise_all(ranges, MADV_DONTFORK, "MADV_DONTFORK");
}

}  // namespace kvpsi
