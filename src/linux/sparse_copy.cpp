// SPDX-License-Identifier: MIT
// See sparse_copy.h. Reading a page that was never written maps the kernel's one page of zeros,
// which is charged to nobody.
#include "linux/sparse_copy.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "linux/pages.h"

namespace kvpsi {
namespace {

bool is_zero(std::span<const std::byte> bytes) {
  return bytes.empty() || (bytes.front() == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

void copy_sparsely(std::span<const std::byte> from, std::span<std::byte> to) {
  KVPSI_ASSERT(from.size() == to.size());
  const std::size_t page = page_bytes();
  std::size_t at = 0;
  while (at < to.size()) {
    // Up to the end of the target's page.
    const std::size_t into_page = reinterpret_cast<std::uintptr_t>(to.data() + at) % page;
    const std::size_t bytes = std::min(page - into_page, to.size() - at);
    const bool stays = is_zero(from.subspan(at, bytes)) && is_zero(to.subspan(at, bytes));
    if (!stays) std::memcpy(to.data() + at, from.data() + at, bytes);
    at += bytes;
  }
}

}  // namespace kvpsi
