// SPDX-License-Identifier: MIT
// ExtentSet against a plain bitmap, by random operations.
#include "linux/extent_set.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/prng.h"

namespace kvpsi {
namespace {

TEST(ExtentSet, JoinsNeighboursAndSplitsWhatIsCut) {
  ExtentSet set;
  set.insert({0, 10});
  set.insert({20, 10});
  set.insert({10, 10});
  ASSERT_EQ(set.extents().size(), 1U);
  EXPECT_EQ(set.extents()[0], (Extent{0, 30}));
  set.remove({5, 10});
  ASSERT_EQ(set.extents().size(), 2U);
  EXPECT_EQ(set.first_fit(15), 15U);
  EXPECT_EQ(set.first_fit(5), 0U);
  EXPECT_FALSE(set.first_fit(16));
  EXPECT_EQ(set.bytes(), 20U);
}

TEST(ExtentSet, DoesAsABitmapDoes) {
  constexpr std::uint64_t kBits = 200;
  Prng random(5);
  ExtentSet set;
  std::vector<bool> bits(kBits, false);
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t offset = random.below(kBits);
    const Extent extent{offset, 1 + random.below(std::min<std::uint64_t>(kBits - offset, 30))};
    std::uint64_t in = 0;
    for (std::uint64_t i = extent.offset; i < extent.end(); ++i) in += bits[i] ? 1 : 0;
    ASSERT_EQ(set.overlaps(extent), in > 0);
    ASSERT_EQ(set.contains(extent), in == extent.bytes);
    const bool adds = in == 0 && random.below(2) == 0;
    if (adds) {
      set.insert(extent);
    } else {
      set.remove(extent);
    }
    for (std::uint64_t i = extent.offset; i < extent.end(); ++i) bits[i] = adds;
    std::uint64_t run = 0;
    std::uint64_t sum = 0;
    std::optional<std::uint64_t> fit;
    for (std::uint64_t i = 0; i < kBits; ++i) {
      run = bits[i] ? run + 1 : 0;
      sum += bits[i] ? 1 : 0;
      if (run == 12 && !fit) fit = i - 11;
    }
    ASSERT_EQ(set.bytes(), sum);
    ASSERT_EQ(set.first_fit(12), fit);
  }
  std::uint64_t last_end = 0;
  for (const Extent& extent : set.extents()) {
    EXPECT_TRUE(extent.offset > last_end || extent.offset == 0) << "neighbours are joined";
    last_end = extent.end();
  }
}

}  // namespace
}  // namespace kvpsi
