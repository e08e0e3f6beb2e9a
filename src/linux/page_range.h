// SPDX-License-Identifier: MIT
// PageRange: a run of whole pages of our own address space, the unit in which memory goes back.
// Next hop: pages.h releases ranges, pagemap.h measures them.
#pragma once

#include <cstdint>

namespace kvpsi {

/// Half-open range of addresses of this process; both ends on page borders.
struct PageRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  std::uint64_t bytes() const { return end - begin; }
  bool operator==(const PageRange&) const = default;
};

/// The page size of the machine in bytes. Any thread.
std::uint64_t page_bytes();

/// The largest range of whole pages inside [begin, end); empty (begin == end) where there is none.
PageRange round_inwards(std::uintptr_t begin, std::uintptr_t end);

}  // namespace kvpsi
