// SPDX-License-Identifier: MIT
// The soft maximum bounds new work and nothing else: with any goal, level, reason, actions and
// memory of the law are what they are without one.
#include "policy/soft_max.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/prng.h"
#include "support/drive.h"

namespace kvpsi {
namespace {

using test::Driver;

TEST(SoftMax, TheSmallerBoundHoldsAndNoneIsNone) {
  EXPECT_EQ(bound_by_soft_max(std::nullopt, std::nullopt), std::nullopt);
  EXPECT_EQ(bound_by_soft_max(5, std::nullopt), 5u);
  EXPECT_EQ(bound_by_soft_max(std::nullopt, 7), 7u);
  EXPECT_EQ(bound_by_soft_max(5, 7), 5u);
  EXPECT_EQ(bound_by_soft_max(7, 5), 5u);
  EXPECT_EQ(bound_by_soft_max(7, 0), 0u) << "a goal of nothing admits no new work";
}

TEST(SoftMax, LessThanHalfOfWhatLivesIsChurn) {
  EXPECT_FALSE(is_soft_max_churning(std::nullopt, 100));
  EXPECT_FALSE(is_soft_max_churning(50, 100));
  EXPECT_TRUE(is_soft_max_churning(49, 100));
  EXPECT_FALSE(is_soft_max_churning(0, 0));
}

TEST(SoftMax, NeverTrimsWhatIsOverIt) {
  Driver drive;
  drive.config.trim_allowed = true;
  drive.run(3);
  drive.kv_soft_max_bytes = 10 * kMiB;  // 100 MiB are live
  drive.run(30);
  EXPECT_EQ(drive.trims(), 0u);
  EXPECT_EQ(drive.log.back().decision.kv_budget_bytes, 10 * kMiB);
  EXPECT_EQ(drive.log.back().decision.reason, Reason::at_rest);
  drive.kv_soft_max_bytes.reset();
  EXPECT_FALSE(drive.tick().decision.kv_budget_bytes) << "lifted at once";
}

TEST(SoftMax, PressureStillCutsBelowIt) {
  Driver drive;
  drive.kv_soft_max_bytes = 1 * kGiB;
  drive.world.kv.cells_total = 8192;
  drive.world.kv.bytes_per_cell = 32 * kKiB;
  drive.run(12);
  drive.world.usage_bytes = 880 * kMiB;
  drive.world.own_some = 0.3;
  drive.world.limit_hits = 20;
  drive.run(1);
  ASSERT_GE(drive.log.back().decision.level, Level::high);
  EXPECT_EQ(drive.log.back().decision.kv_budget_bytes, drive.world.kv.live_bytes);
}

RC_GTEST_PROP(SoftMax, ChangesTheBudgetAndNothingElse, (std::uint64_t seed)) {
  Prng random(seed);
  Driver with, without;
  for (Driver* drive : {&with, &without}) {
    drive->config.trim_allowed = true;
    drive->world.kv.cells_total = 8192;
    drive->world.kv.bytes_per_cell = 32 * kKiB;
  }
  for (int i = 0; i < 150; ++i) {
    if (random.below(20) == 0) {
      with.kv_soft_max_bytes.reset();
      if (random.below(3) != 0) with.kv_soft_max_bytes = random.below(400) * kMiB;
    }
    if (random.below(15) == 0) {
      with.world.own_some = without.world.own_some = random.unit() * 0.4;
      with.world.limit_hits = without.world.limit_hits = random.below(2) * 20.0;
      with.world.usage_bytes = without.world.usage_bytes = (500 + random.below(520)) * kMiB;
    }
    const Decided& bounded = with.tick();
    const Decided& free = without.tick();
    RC_ASSERT(bounded.decision.kv_budget_bytes ==
              bound_by_soft_max(free.decision.kv_budget_bytes, with.kv_soft_max_bytes));
    Decision same = bounded.decision;
    same.kv_budget_bytes = free.decision.kv_budget_bytes;
    RC_ASSERT(same == free.decision);
    RC_ASSERT(state_hash(bounded.state) == state_hash(free.state));
    with.answer();
    without.answer();
  }
}

}  // namespace
}  // namespace kvpsi
