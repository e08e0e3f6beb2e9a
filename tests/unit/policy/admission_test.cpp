// SPDX-License-Identifier: MIT
// Admission: at which level and budget new work is refused, when it may come again, and that
// nothing of a refusal is left when its reason is gone.
#include "policy/admission.h"

#include <gtest/gtest.h>

#include <set>

#include "base/bytes.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kNowUs = 1'000'000'000;

Tick at(Level level) {
  Tick tick;
  tick.observation.sample.t_us = kNowUs;
  tick.decision.level = level;
  tick.decision.reason = level >= Level::high ? Reason::need : Reason::at_rest;
  tick.signal.headroom_bytes = 64 * kMiB;
  tick.signal.reserve_low_bytes = 16 * kMiB;
  PoolView kv;
  kv.live_bytes = 100 * kMiB;
  tick.observation.pools.push_back(kv);
  return tick;
}

Refusal refusal(const Tick& tick, unsigned running) {
  return admit(tick, {.now_us = kNowUs, .running = running}).refusal;
}

TEST(Admission, CalmAndElevatedAdmit) {
  EXPECT_EQ(refusal(at(Level::calm), 100), Refusal::none);
  EXPECT_EQ(refusal(at(Level::elevated), 100), Refusal::none);
}

TEST(Admission, HighAdmitsOneAtATime) {
  EXPECT_EQ(refusal(at(Level::high), 0), Refusal::none);
  EXPECT_EQ(refusal(at(Level::high), 1), Refusal::high);
}

TEST(Admission, CriticalAdmitsNobody) {
  EXPECT_EQ(refusal(at(Level::critical), 0), Refusal::critical);
  EXPECT_EQ(refusal(at(Level::critical), 3), Refusal::critical);
}

TEST(Admission, WhereASurgeWouldNotFitOneAtATime) {
  Tick tick = at(Level::calm);
  tick.signal.surge_bytes = 48 * kMiB;  // of headroom 64 less the reserve of 16
  EXPECT_EQ(refusal(tick, 1), Refusal::none);
  ++tick.signal.surge_bytes;
  EXPECT_EQ(refusal(tick, 0), Refusal::none);
  EXPECT_EQ(refusal(tick, 1), Refusal::edge);
}

TEST(Admission, ALevelThatIsOnlyHeldRefusesNobody) {
  for (const Level level : {Level::high, Level::critical}) {
    Tick tick = at(level);
    tick.decision.reason = Reason::at_rest;
    tick.decision.need_bytes = kMiB;  // it would be, were there a stall
    EXPECT_EQ(refusal(tick, 3), Refusal::none) << name(level);
    tick.signal.headroom_bytes = 15 * kMiB;
    EXPECT_EQ(refusal(tick, 3), Refusal::high) << name(level);
    EXPECT_EQ(refusal(tick, 0), Refusal::none) << name(level);
  }
}

TEST(Admission, NobodyOvertakes) {
  const Workload work{.now_us = kNowUs, .waiting = 1};
  EXPECT_EQ(admit(at(Level::calm), work).refusal, Refusal::turn);
  EXPECT_EQ(admit(at(Level::critical), work).refusal, Refusal::critical);
}

TEST(Admission, AFullBudgetAdmitsOneAtATime) {
  Tick tick = at(Level::calm);
  tick.decision.kv_budget_bytes = 100 * kMiB;
  EXPECT_EQ(refusal(tick, 1), Refusal::budget);
  EXPECT_EQ(refusal(tick, 0), Refusal::none) << "alone it may push idle rows out";
  tick.decision.kv_budget_bytes = 100 * kMiB + 1;
  EXPECT_EQ(refusal(tick, 1), Refusal::none);
}

TEST(Admission, NothingIsRefusedByAGovernorThatDoesNotAct) {
  Tick tick = at(Level::critical);
  tick.dry_run = true;
  EXPECT_EQ(refusal(tick, 1), Refusal::none);
  tick.dry_run = false;
  tick.observation.paused = true;
  EXPECT_EQ(refusal(tick, 1), Refusal::none);
}

TEST(Admission, AnOldTurnRefusesNobody) {
  const Tick tick = at(Level::critical);
  EXPECT_FALSE(admit(tick, {.now_us = kNowUs + kTurnStaleUs, .running = 1}).admits());
  EXPECT_TRUE(admit(tick, {.now_us = kNowUs + kTurnStaleUs + 1, .running = 1}).admits());
  EXPECT_FALSE(admit(tick, {.now_us = kNowUs - 1, .running = 1}).admits())
      << "read before the turn";
}

TEST(Admission, ARefusalEndsWithItsReason) {
  EXPECT_FALSE(admit(at(Level::critical), {.now_us = kNowUs, .running = 1}).admits());
  EXPECT_TRUE(admit(at(Level::elevated), {.now_us = kNowUs, .running = 1}).admits());
}

TEST(Admission, RetriesAreSpread) {
  std::set<unsigned> high;
  std::set<unsigned> critical;
  for (std::uint64_t request = 0; request < 200; ++request) {
    const Workload work{.now_us = kNowUs, .running = 1, .request = request};
    high.insert(admit(at(Level::high), work).retry_after_s);
    critical.insert(admit(at(Level::critical), work).retry_after_s);
  }
  EXPECT_EQ(high, (std::set<unsigned>{2, 3, 4}));
  EXPECT_EQ(critical, (std::set<unsigned>{5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(admit(at(Level::calm), {.now_us = kNowUs}).retry_after_s, 0u);
}

}  // namespace
}  // namespace kvpsi
