// SPDX-License-Identifier: MIT
// Whole simulated runs: what must never happen does not, equal seeds give equal runs, ours beats
// the naive law; and each checker finds what it is there to find.
#include "sim/run.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/bytes.h"
#include "support/shipped.h"

namespace kvpsi {
namespace {

using test::load_shipped;

constexpr std::uint64_t kSeeds = 20;

TEST(Run, EveryScenarioIsSafeLiveAndStable) {
  for (const ShippedScenario& shipped : shipped_scenarios()) {
    const Scenario scenario = parse_scenario(shipped.text, shipped.name).value();
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      for (const Violation& found : run_scenario(scenario, seed, LawKind::kvpsi).violations) {
        ADD_FAILURE() << fmt::format(
            "{} at {:.1f} s: {}; kvpsi simulate --scenario {} --seeds 1 --seed {}", found.checker,
            found.t_s, found.what, scenario.name, seed);
      }
    }
  }
}

TEST(Run, OursStallsAFifthOfTheNaiveLawOnTheWhole) {
  double log_sum = 0;
  int count = 0;
  for (const ShippedScenario& shipped : shipped_scenarios()) {
    const Scenario scenario = parse_scenario(shipped.text, shipped.name).value();
    const double naive = run_scenario(scenario, 1, LawKind::avg10).score.own_stall_s;
    if (naive < 0.01) continue;
    const double ours = run_scenario(scenario, 1, LawKind::kvpsi).score.own_stall_s;
    log_sum += std::log(std::max(ours, 0.01) / naive);
    ++count;
  }
  ASSERT_GT(count, 20);
  EXPECT_LE(std::exp(log_sum / count), 0.2);
}

TEST(Run, OnARampWithoutSwapWeActBeforeTheFirstStallAndNobodyIsKilled) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Score score = run_scenario(load_shipped("ramp_no_swap"), seed, LawKind::kvpsi).score;
    EXPECT_GE(score.first_action_s, 0);
    EXPECT_EQ(score.stall_before_action_s, 0) << "seed " << seed;
    EXPECT_EQ(score.oom_kills, 0u);
    EXPECT_GT(run_scenario(load_shipped("ramp_no_swap"), seed, LawKind::none).score.oom_kills, 0u)
        << "the scenario kills where nobody governs";
  }
}

TEST(Run, EqualSeedsGiveEqualRuns) {
  const Scenario scenario = load_shipped("step_lossy");
  const RunReport one = run_scenario(scenario, 7, LawKind::kvpsi);
  const RunReport two = run_scenario(scenario, 7, LawKind::kvpsi);
  const RunReport other = run_scenario(scenario, 8, LawKind::kvpsi);
  EXPECT_EQ(one.score.own_stall_s, two.score.own_stall_s);
  EXPECT_EQ(one.score.tokens_decoded, two.score.tokens_decoded);
  EXPECT_EQ(one.turns, two.turns);
  EXPECT_NE(one.score.tokens_decoded, other.score.tokens_decoded);
}

TEST(Run, AnEngineThatDoesNotFitIsReportedAndNotPassedOver) {
  Scenario scenario = load_shipped("step_lossy");
  scenario.engine.base_bytes = scenario.group.limit_bytes.value();
  const RunReport report = run_scenario(scenario, 1, LawKind::kvpsi);
  ASSERT_EQ(report.violations.size(), 1u);
  EXPECT_EQ(report.violations[0].checker, "safety");
  EXPECT_EQ(report.score.oom_kills, 1u);
}

std::vector<Violation> finish(Checker& checker) {
  std::vector<Violation> found;
  checker.finish(found);
  return found;
}

TEST(SafetyChecker, FindsAKillAndLostContext) {
  Scenario scenario = load_shipped("step_trim_off");
  const auto checker = make_safety_checker(scenario);
  Instant now{.disk_takes = true, .disk_gives = true};
  checker->on_instant(now);
  EXPECT_TRUE(finish(*checker).empty());
  now.tokens_lost = now.oom_kills = 1;
  checker->on_instant(now);
  EXPECT_EQ(finish(*checker).size(), 2u);
}

TEST(SafetyChecker, FindsASecondTrimInFlightAndOneBelowTheFloor) {
  const auto checker = make_safety_checker(load_shipped("step_lossy"));
  Tick tick;
  tick.observation.pools.push_back(
      PoolView{.kind = PoolKind::kv, .live_bytes = 10 * kMiB, .trimmable_bytes = 5 * kMiB});
  tick.decision.actions.push_back(Action{.verb = Verb::trim, .bytes = 4 * kMiB});
  checker->on_tick(tick);
  EXPECT_TRUE(finish(*checker).empty());
  checker->on_tick(tick);
  ASSERT_EQ(finish(*checker).size(), 1u);
  EXPECT_NE(finish(*checker)[0].what.find("in flight"), std::string::npos);
  tick.decision.actions[0].bytes = 6 * kMiB;
  checker->on_tick(tick);
  EXPECT_EQ(finish(*checker).size(), 2u);
}

TEST(LivenessChecker, FindsABudgetThatNeverComesBack) {
  const Scenario scenario = load_shipped("step_lossy");
  const auto checker = make_liveness_checker(scenario);
  const double due_s = scenario.expect.relief_s.value() + scenario.expect.settle_s;
  Instant now{.kv_context_bytes = 100, .budget_bytes = 50};
  now.scenario_us = static_cast<std::uint64_t>((due_s - 1) * 1e6);
  checker->on_instant(now);
  EXPECT_TRUE(finish(*checker).empty());
  now.scenario_us += 2'000'000;
  checker->on_instant(now);
  Tick tick;
  tick.decision.level = Level::elevated;
  checker->on_tick(tick);
  EXPECT_EQ(finish(*checker).size(), 2u);
}

TEST(SafetyChecker, LetsContextGoOnlyWhereNoFileTakesIt) {
  Scenario scenario = load_shipped("disk_full");
  ASSERT_EQ(scenario.engine.trim, TrimRule::eager);
  Instant now{.tokens_lost = 5, .disk_gives = true};
  const auto full = make_safety_checker(scenario);
  full->on_instant(now);
  now.tokens_lost = 9;
  full->on_instant(now);
  EXPECT_TRUE(finish(*full).empty());
  scenario.engine.trim = TrimRule::last_resort;
  const auto strict = make_safety_checker(scenario);
  strict->on_instant(now);
  EXPECT_EQ(finish(*strict).size(), 1u);
}

TEST(SafetyChecker, FindsARestoreUnderPressure) {
  const auto checker = make_safety_checker(load_shipped("step_lossy"));
  Tick tick;
  tick.decision.reason = Reason::restore;
  tick.decision.actions.push_back(Action{.verb = Verb::restore, .bytes = kMiB});
  checker->on_tick(tick);
  EXPECT_TRUE(finish(*checker).empty());
  tick.observation.outcomes.push_back(Outcome{.verb = Verb::restore, .status = Status::done});
  tick.signal.stall_us_new = 1;
  checker->on_tick(tick);
  EXPECT_EQ(finish(*checker).size(), 1u);
}

TEST(LivenessChecker, FindsRowsThatStayOnDiskWhereThereIsRoom) {
  const Scenario scenario = load_shipped("step_lossy");
  const auto checker = make_liveness_checker(scenario);
  const double due_s = scenario.expect.relief_s.value() + scenario.expect.settle_s;
  Instant now{.kv_context_bytes = 100,
              .budget_bytes = 100,
              .kv_on_disk_bytes = 5 * kMiB,
              .disk_gives = true};
  now.scenario_us = static_cast<std::uint64_t>((due_s + 1) * 1e6);
  checker->on_instant(now);
  Tick tick;
  tick.signal.headroom_bytes = 5 * kMiB;
  tick.observation.pools.push_back(PoolView{
      .kind = PoolKind::kv, .spilled_bytes = 5 * kMiB, .cells_total = 100, .bytes_per_cell = kMiB});
  checker->on_tick(tick);
  EXPECT_TRUE(finish(*checker).empty()) << "no room";
  tick.signal.headroom_bytes = 50 * kMiB;
  checker->on_tick(tick);
  EXPECT_EQ(finish(*checker).size(), 1u);
}

TEST(StabilityChecker, FindsRowsThatGoToAndFro) {
  const auto checker = make_stability_checker();
  Instant now;
  for (const Verb verb : {Verb::spill, Verb::restore, Verb::trim, Verb::restore}) {
    EXPECT_TRUE(finish(*checker).empty());
    now.scenario_us += 10'000'000;
    checker->on_instant(now);
    Tick tick;
    tick.decision.actions.push_back(Action{.verb = verb, .bytes = kMiB});
    checker->on_tick(tick);
  }
  EXPECT_EQ(finish(*checker).size(), 1u);
}

TEST(StabilityChecker, FindsTheThirdTurnWithinAMinute) {
  const auto checker = make_stability_checker();
  Instant now;
  for (const std::uint64_t budget : {100, 200, 100, 200}) {
    now.scenario_us += 10'000'000;
    now.budget_bytes = budget;
    EXPECT_TRUE(finish(*checker).empty());
    checker->on_instant(now);
  }
  EXPECT_EQ(finish(*checker).size(), 1u);
}

TEST(StabilityChecker, WhatStoodStillForAMinuteHasNoDirection) {
  const auto checker = make_stability_checker();
  Instant now;
  for (const std::uint64_t budget : {100, 200, 100, 200}) {
    now.scenario_us += 61'000'000;
    now.budget_bytes = budget;
    checker->on_instant(now);
  }
  EXPECT_TRUE(finish(*checker).empty());
}

TEST(StabilityChecker, ATrimForNeedIsAMoveAndOneForRoomIsNone) {
  for (const Reason reason : {Reason::need, Reason::room}) {
    const auto checker = make_stability_checker();
    Instant now;
    Tick trim;
    trim.decision.reason = reason;
    trim.decision.actions.push_back({.verb = Verb::trim, .pool = PoolKind::kv, .bytes = 1});
    std::uint64_t budget = 100;
    for (int i = 0; i < 4; ++i) {
      now.scenario_us += 5'000'000;
      now.budget_bytes = budget += 100;
      checker->on_instant(now);
      checker->on_tick(trim);
    }
    EXPECT_EQ(finish(*checker).empty(), reason == Reason::room);
  }
}

}  // namespace
}  // namespace kvpsi
