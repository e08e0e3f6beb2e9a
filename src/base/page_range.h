// SPDX-License-Identifier: MIT
// PageRange: a run of whole pages of our own address space, as page_map computes and linux/pages
// releases and measures. Only addresses; owns nothing, touches nothing.
#pragma once

#include <cstdint>

namespace kvpsi {

/// The addresses [begin, end). Both ends are multiples of the page size.
struct PageRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  std::uint64_t bytes() const { return end - begin; }
  bool operator==(const PageRange&) const = default;
};

}  // namespace kvpsi
