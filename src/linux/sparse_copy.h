// SPDX-License-Identifier: MIT
// A copy of large memory that takes no page for zeros: pages of the source that were never written,
// or were released, read as zeros and stay what they are in the target too. Must not know what the
// memory holds. Next hop: llama/wraps_memory.cpp copies streams of a KV cache with it.
#pragma once

#include <cstddef>
#include <span>

namespace kvpsi {

/// Afterwards `to` holds the bytes of `from`; they are of one size and do not overlap. Pages of
/// `to` that hold zeros and are to hold zeros are only read. Any thread; as for memcpy, nobody else
/// writes either.
void copy_sparsely(std::span<const std::byte> from, std::span<std::byte> to);

}  // namespace kvpsi
