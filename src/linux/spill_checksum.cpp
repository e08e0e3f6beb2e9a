// SPDX-License-Identifier: MIT
// Picks the fastest XXH3 of the processor; all give the same sums. spill_checksum_avx2.cpp holds
// the other one.
#include "linux/spill_checksum.h"

#include <array>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kvpsi {

std::uint64_t spill_hash_plain(std::span<const std::byte> bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t spill_checksum(const SpillBlock& block, std::span<const std::byte> stored) {
  static const bool has_avx2 = spill_hash_has_avx2();
  const SpillIdentity& id = block.identity;
  const std::array<std::uint64_t, 9> place{block.offset,   block.bytes,       id.context,
                                           id.sequence,    id.first_position, id.last_position,
                                           id.first_layer, id.last_layer,     id.serial};
  const std::uint64_t seed = spill_hash_plain(std::as_bytes(std::span(place)), 0);
  return has_avx2 ? spill_hash_avx2(stored, seed) : spill_hash_plain(stored, seed);
}

}  // namespace kvpsi
