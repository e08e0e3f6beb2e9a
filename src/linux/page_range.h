// SPDX-License-Identifier: MIT
// The page size of this machine and rounding to it, around base/page_range.h's PageRange, the unit
// in which memory goes back.
// Next hop: pages.h releases ranges, pagemap.h measures them.
#pragma once

#include <cstdint>

#include "base/page_range.h"  // IWYU pragma: export

namespace kvpsi {

/// The page size of the machine in bytes. Any thread.
std::uint64_t page_bytes();

/// The largest range of whole pages inside [begin, end); empty (begin == end) where there is none.
PageRange round_inwards(std::uintptr_t begin, std::uintptr_t end);

}  // namespace kvpsi
