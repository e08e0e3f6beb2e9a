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

}  // namespace kvpsi
