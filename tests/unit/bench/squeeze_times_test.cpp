// SPDX-License-Identifier: MIT
// Onset, first action, relief, last action, full size: found in ticks written by hand.
#include "bench/squeeze_times.h"

#include <gtest/gtest.h>

#include <vector>

namespace kvpsi {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;
constexpr std::uint64_t kOnset = 10 * kSecond;
constexpr std::uint64_t kRelief = 20 * kSecond;

/// A turn at `t_s` with `stall_us` of own stall in total.
Tick tick_at(double t_s, std::uint64_t stall_us = 0) {
  Tick tick;
  tick.observation.sample.t_us = static_cast<std::uint64_t>(t_s * 1e6);
  tick.observation.sample.psi_own = PsiTotals{stall_us, 0};
  return tick;
}

Tick act_at(double t_s, Verb verb, Reason reason, std::uint64_t id) {
  Tick tick = tick_at(t_s);
  tick.decision.id = id;
  tick.decision.reason = reason;
  tick.decision.level = Level::high;
  tick.decision.kv_budget_bytes = 1000;
  tick.decision.actions.push_back({.decision_id = id, .verb = verb});
  return tick;
}

Tick outcome_at(double t_s, double ended_s, Verb verb, std::uint64_t id, std::uint64_t tokens) {
  Tick tick = tick_at(t_s);
  tick.decision.level = Level::high;
  tick.decision.kv_budget_bytes = 1000;
  Outcome outcome;
  outcome.decision_id = id;
  outcome.verb = verb;
  outcome.status = Status::done;
  outcome.t_us = static_cast<std::uint64_t>(ended_s * 1e6);
  outcome.bytes_released = 10 * tokens;
  outcome.tokens_trimmed = tokens;
  tick.observation.outcomes.push_back(outcome);
  return tick;
}

TEST(SqueezeTimes, FirstStallAndFirstActionCountFromTheOnset) {
  Tick early = act_at(9.5, Verb::release, Reason::tidy, 1);
  early.decision.level = Level::calm;
  early.decision.kv_budget_bytes.reset();
  Tick stalled = tick_at(10.25, 5000);
  stalled.signal.stall_us_new = 5000;
  const std::vector<Tick> ticks = {early, stalled, act_at(10.5, Verb::release, Reason::cap, 2),
                                   act_at(11, Verb::release, Reason::first_sign, 3)};
  const SqueezeTimes times = find_times(ticks, kOnset, kRelief);
  EXPECT_TRUE(times.calm_at_onset);
  EXPECT_DOUBLE_EQ(times.first_stall_s.value(), 0.25);
  EXPECT_DOUBLE_EQ(times.first_action_s.value(), 1.0);  // neither tidying nor the cap answers it
  EXPECT_EQ(times.highest_level, Level::high);
}

TEST(SqueezeTimes, AnActionThatOnlyComesAfterTheReliefIsNoFirstAction) {
  const std::vector<Tick> ticks = {tick_at(9), tick_at(15),
                                   act_at(21, Verb::release, Reason::first_sign, 3)};
  EXPECT_FALSE(find_times(ticks, kOnset, kRelief).first_action_s);
}

TEST(SqueezeTimes, WhoIsSqueezedAlreadyWasNotCalm) {
  EXPECT_FALSE(
      find_times(std::vector{act_at(9, Verb::trim, Reason::need, 1), tick_at(11)}, kOnset, kRelief)
          .calm_at_onset);
  EXPECT_FALSE(find_times({}, kOnset, kRelief).calm_at_onset);
}

TEST(SqueezeTimes, StallIsTakenBetweenOnsetAndRelief) {
  const std::vector<Tick> ticks = {tick_at(9, 100'000), tick_at(11, 600'000),
                                   tick_at(19, 2'100'000), tick_at(25, 9'000'000)};
  // The interval that the relief lies in is the aftermath's.
  EXPECT_DOUBLE_EQ(find_times(ticks, kOnset, kRelief).own_stall_s, 2.0);
}

TEST(SqueezeTimes, WhatCameBackCountsByTheTimeItCameBack) {
  const std::vector<Tick> ticks = {tick_at(9), outcome_at(10.5, 9.9, Verb::trim, 1, 7),
                                   outcome_at(20.5, 19.9, Verb::trim, 2, 100),
                                   outcome_at(21.5, 20.75, Verb::trim, 3, 50)};
  const SqueezeTimes times = find_times(ticks, kOnset, kRelief);
  EXPECT_EQ(times.tokens_trimmed, 100U);
  EXPECT_EQ(times.bytes_returned, 1000U);
  EXPECT_EQ(times.tokens_trimmed_after, 50U);
  EXPECT_DOUBLE_EQ(times.last_action_s, 0.75);
}

TEST(SqueezeTimes, AfterTheReliefOnlyWhatCostsSomethingAndAnswersPressureCounts) {
  const std::vector<Tick> ticks = {tick_at(9), act_at(21, Verb::release, Reason::level_entry, 1),
                                   act_at(22, Verb::trim, Reason::cap, 2),
                                   outcome_at(22.5, 22.25, Verb::trim, 2, 64)};
  EXPECT_DOUBLE_EQ(find_times(ticks, kOnset, kRelief).last_action_s, 0);
  const std::vector<Tick> later = {tick_at(9), act_at(23, Verb::trim, Reason::need, 1)};
  EXPECT_DOUBLE_EQ(find_times(later, kOnset, kRelief).last_action_s, 3);
}

TEST(SqueezeTimes, FullSizeNeedsCalmAndNoBudget) {
  Tick bounded = tick_at(40);
  bounded.decision.kv_budget_bytes = 1000;
  Tick elevated = tick_at(45);
  elevated.decision.level = Level::elevated;
  const std::vector<Tick> ticks = {tick_at(9),  act_at(12, Verb::trim, Reason::need, 1),
                                   bounded,     elevated,
                                   tick_at(50), tick_at(65)};
  const SqueezeTimes times = find_times(ticks, kOnset, kRelief);
  EXPECT_DOUBLE_EQ(times.full_size_s.value(), 30);
  EXPECT_DOUBLE_EQ(times.followed_s, 45);
  EXPECT_FALSE(times.relapsed);
}

TEST(SqueezeTimes, FullSizeThatDoesNotLastIsARelapse) {
  std::vector<Tick> ticks = {tick_at(9), tick_at(50), act_at(55, Verb::trim, Reason::need, 1)};
  SqueezeTimes times = find_times(ticks, kOnset, kRelief);
  EXPECT_TRUE(times.relapsed);
  EXPECT_FALSE(times.full_size_s);
  ticks.push_back(tick_at(70));
  times = find_times(ticks, kOnset, kRelief);
  EXPECT_TRUE(times.relapsed);
  EXPECT_DOUBLE_EQ(times.full_size_s.value(), 50);
}

TEST(SqueezeTimes, LiveTokensAreTheLastOnes) {
  Tick tick = tick_at(1);
  PoolView view;
  view.kind = PoolKind::kv;
  view.cells_live = 1234;
  tick.observation.pools.push_back(view);
  EXPECT_EQ(last_live_tokens(std::vector{tick_at(0), tick}), 1234U);
  EXPECT_EQ(last_live_tokens({}), 0U);
}

}  // namespace
}  // namespace kvpsi
