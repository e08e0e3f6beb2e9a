// SPDX-License-Identifier: MIT
// The checksum of a spilled block: XXH3, 64 bits, over its bytes as they lie on disk, seeded with
// what and where they are, so that a sound block in the wrong place does not verify either.
// Must not be used where somebody may want to forge. Next hop: spill_file.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "govern/ports.h"

namespace kvpsi {

/// `stored` is the payload and its padding; of the block all but its checksum counts.
std::uint64_t spill_checksum(const SpillBlock& block, std::span<const std::byte> stored);

/// XXH3 two ways, with equal results; the second only where spill_hash_has_avx2().
std::uint64_t spill_hash_plain(std::span<const std::byte> bytes, std::uint64_t seed);
std::uint64_t spill_hash_avx2(std::span<const std::byte> bytes, std::uint64_t seed);
bool spill_hash_has_avx2();

}  // namespace kvpsi
