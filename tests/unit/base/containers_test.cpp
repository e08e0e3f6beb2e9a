// SPDX-License-Identifier: MIT
// Ring, FixedVector, Prng, Hash64, Result: the small things everything stands on.
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/fixed_vector.h"
#include "base/hash.h"
#include "base/prng.h"
#include "base/result.h"
#include "base/ring.h"

namespace kvpsi {
namespace {

TEST(Ring, KeepsTheLastValuesOldestFirst) {
  Ring<int, 3> ring;
  EXPECT_TRUE(ring.empty());
  for (int i = 1; i <= 2; ++i) ring.push(i);
  EXPECT_EQ(ring.size(), 2u);
  EXPECT_EQ(ring.front(), 1);
  for (int i = 3; i <= 7; ++i) ring.push(i);
  EXPECT_EQ(ring.size(), 3u);
  EXPECT_EQ(ring[0], 5);
  EXPECT_EQ(ring[1], 6);
  EXPECT_EQ(ring.back(), 7);
  ring.clear();
  EXPECT_TRUE(ring.empty());
  ring.push(8);
  EXPECT_EQ(ring.front(), 8);
}

TEST(RingDeathTest, ReadingPastTheEndIsABrokenContract) {
  Ring<int, 3> ring;
  ring.push(1);
  EXPECT_DEATH(static_cast<void>(ring[1]), "broken contract: i < size_");
}

TEST(FixedVector, RefusesWhenFull) {
  FixedVector<int, 2> values;
  EXPECT_TRUE(values.push_back(1));
  EXPECT_TRUE(values.push_back(2));
  EXPECT_FALSE(values.push_back(3));
  EXPECT_TRUE(values.full());
  EXPECT_EQ(values.size(), 2u);
  EXPECT_EQ(values[1], 2);
  EXPECT_EQ((FixedVector<int, 2>::capacity()), 2u);
}

TEST(FixedVector, ComparesOnlyWhatIsInIt) {
  FixedVector<int, 4> a, b;
  a.push_back(1);
  a.push_back(2);
  a.clear();
  EXPECT_EQ(a, b) << "leftovers behind the end do not count";
  a.push_back(3);
  EXPECT_FALSE(a == b);
  b.push_back(4);
  EXPECT_FALSE(a == b);
  int sum = 0;
  for (const int value : a) sum += value;
  EXPECT_EQ(sum, 3);
}

TEST(FixedVectorDeathTest, ReadingPastTheEndIsABrokenContract) {
  FixedVector<int, 2> values;
  EXPECT_DEATH(static_cast<void>(values[0]), "broken contract");
}

// The authors' reference: xoshiro256** seeded by splitmix64. Recorded runs depend on it.
TEST(Prng, GivesTheSameSequenceOnEveryMachine) {
  Prng zero(0);
  EXPECT_EQ(zero.next(), 11091344671253066420u);
  EXPECT_EQ(zero.next(), 13793997310169335082u);
  Prng random(42);
  EXPECT_EQ(random.next(), 1546998764402558742u);
  EXPECT_EQ(random.next(), 6990951692964543102u);
  EXPECT_EQ(random.next(), 12544586762248559009u);
}

TEST(Prng, StaysInBounds) {
  Prng random(7);
  EXPECT_EQ(random.below(0), 0u);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_LT(random.below(10), 10u);
    const double unit = random.unit();
    EXPECT_GE(unit, 0);
    EXPECT_LT(unit, 1);
    sum += unit;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(Hash64, DependsOnOrderAndType) {
  const auto digest = [](auto... values) {
    Hash64 hash;
    (hash.add(values), ...);
    return hash.value();
  };
  EXPECT_EQ(digest(), 0xcbf29ce484222325ULL);
  EXPECT_EQ(digest(std::uint64_t{1}), 0x89cd31291d2aefa4ULL) << "FNV-1a of 01 and seven zeros";
  EXPECT_NE(digest(1, 2), digest(2, 1));
  EXPECT_NE(digest(1.0), digest(1));
  EXPECT_EQ(digest(-1), digest(std::int64_t{-1}));
  EXPECT_NE(digest(std::string_view("ab")), digest(std::string_view("ba")));
}

TEST(Result, DescribesWhereWhatAndWhy) {
  const Result<int> failed =
      fail(ErrorCode::permission, "cannot open, try sudo", "/proc/pressure/memory", 13);
  ASSERT_FALSE(failed);
  EXPECT_EQ(describe(failed.error()),
            "/proc/pressure/memory: cannot open, try sudo (Permission denied)");
  EXPECT_EQ(describe(Error{.code = ErrorCode::io, .what = "what", .path = "", .errno_value = 0}),
            "what");
}

TEST(Clock, MovesForwardInMicroseconds) {
  const std::uint64_t cpu = thread_cpu_us();
  const std::uint64_t start = monotonic_us();
  while (monotonic_us() - start < 2'000) {
  }
  EXPECT_GT(thread_cpu_us(), cpu);
  EXPECT_GE(process_cpu_us(), thread_cpu_us() - cpu);
  EXPECT_GT(wall_seconds(), 1'700'000'000);
}

}  // namespace
}  // namespace kvpsi
