// SPDX-License-Identifier: MIT
// The one place that includes xxHash, whose header holds all of its code.
#include "linux/spill_checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>

namespace kvpsi {

std::uint64_t spill_checksum(const SpillBlock& block, std::span<const std::byte> stored) {
  const SpillIdentity& id = block.identity;
  const std::array<std::uint64_t, 9> place{block.offset,   block.bytes,       id.context,
                                           id.sequence,    id.first_position, id.last_position,
                                           id.first_layer, id.last_layer,     id.serial};
  const std::uint64_t seed = XXH3_64bits(place.data(), sizeof(place));
  return XXH3_64bits_withSeed(stored.data(), stored.size(), seed);
}

}  // namespace kvpsi
