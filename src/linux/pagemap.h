// SPDX-License-Identifier: MIT
// Which bytes of our own address space are really in memory, and ours alone. mincore and the
// pagemap's present bit also count released pages that were only read (the shared zero page), so
// residency here is the exclusive bit. About 60 ns a page: for after actions and for tests, not for
// every tick. Next hop: smaps.h for mapped files.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "linux/fd.h"
#include "linux/page_range.h"

namespace kvpsi {

/// What the page map says about a set of ranges, in bytes.
struct Residency {
  std::uint64_t exclusive_bytes = 0;  ///< present (bit 63) and mapped by us only (bit 56)
  std::uint64_t present_bytes = 0;    ///< present, shared zero pages and forked pages included
  std::uint64_t swapped_bytes = 0;    ///< bit 62
};

/// An open page map with a buffer of 64 KiB, whatever the size of the ranges. Movable; not
/// thread-safe. Source: Documentation/admin-guide/mm/pagemap.rst; bits 55-63 need no privilege.
class PageMapReader {
 public:
  /// Errors: not_found or permission (some sandboxes hide the file), io.
  static Result<PageMapReader> open(const std::string& path = "/proc/self/pagemap");

  /// Errors: invalid_argument for ranges that are not page-aligned, io.
  Result<Residency> measure(std::span<const PageRange> ranges);

 private:
  static constexpr std::size_t kEntries = 8192;
  PageMapReader() = default;
  UniqueFd fd_;
  std::string path_;
  std::unique_ptr<std::uint64_t[]> entries_;
};

/// Measures with one reader kept for the process; opened again in a forked child. Any thread
/// (callers take turns). Errors as PageMapReader.
Result<Residency> measure_residency(std::span<const PageRange> ranges);

/// exclusive_bytes of measure_residency.
Result<std::uint64_t> resident_exclusive_bytes(std::span<const PageRange> ranges);

}  // namespace kvpsi
