// SPDX-License-Identifier: MIT
// Trimming is reversible and packing moves rows whole: after every one of many random calls, the
// cache and the file together hold exactly the tokens and rows that a ledger says, and a context
// with the same cells in the same places, never governed, answers bit for bit alike. See
// spill_property_test.cpp for the environment variables.
#include <gtest/gtest.h>

#include <cstdio>

#include "walk.h"

namespace kvpsi {
namespace {

using namespace testing;

constexpr int kSteps = 50;

class GapPropertyTest : public ::testing::TestWithParam<TinyKind> {};

TEST_P(GapPropertyTest, cache_and_file_hold_what_the_ledger_says) {
  KVPSI_LONG_WALK();
  const auto store = open_spill_file();
  ASSERT_TRUE(store) << describe(store.error());
  const std::uint64_t seed = env_or("KVPSI_SEED", 20250401);
  const std::uint64_t schedules = env_or("KVPSI_SCHEDULES", 80);
  Totals totals;
  for (std::uint64_t i = 0; i < schedules; ++i) {
    Walk walk(GetParam(), **store, seed + i);
    for (int step = 0; step < kSteps && !HasFailure(); ++step) walk.step(totals);
    if (!HasFailure()) walk.finish(totals);
    ASSERT_FALSE(HasFailure()) << "seed " << seed + i << walk.story();
  }
  std::printf(
      "[ numbers  ] %s: %llu schedules, tokens: %llu trimmed, %llu restored, %llu lost by "
      "name (%llu clauses); %llu decodes found the cache full\n",
      GetParam().name, static_cast<unsigned long long>(schedules),
      static_cast<unsigned long long>(totals.trimmed),
      static_cast<unsigned long long>(totals.restored),
      static_cast<unsigned long long>(totals.lost), static_cast<unsigned long long>(totals.losses),
      static_cast<unsigned long long>(totals.refused));
  EXPECT_GT(totals.restored, schedules * 10);
  EXPECT_EQ((*store)->use().held_bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GapPropertyTest,
                         ::testing::Values(kTinyKinds[0], kTinyKinds[1], kTinyKinds[2],
                                           kTinyKinds[3], kTinyKinds[4]),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace kvpsi
