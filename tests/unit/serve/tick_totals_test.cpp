// SPDX-License-Identifier: MIT
// Sums over turns: time goes to the level that held, outcomes to their rung, nothing twice.
#include "serve/tick_totals.h"

#include <gtest/gtest.h>

namespace kvpsi {
namespace {

Tick at(std::uint64_t t_us, Level level) {
  Tick tick;
  tick.observation.sample.t_us = t_us;
  tick.decision.level = level;
  tick.cost_us = 3;
  return tick;
}

Outcome outcome(Verb verb, Status status, std::uint64_t released) {
  Outcome made;
  made.verb = verb;
  made.status = status;
  made.bytes_released = released;
  return made;
}

TEST(TickTotals, TimeGoesToTheLevelThatHeld) {
  TotalsSink sink(nullptr);
  sink.on_tick(at(1'000, Level::calm));
  sink.on_tick(at(1'500, Level::high));
  sink.on_tick(at(1'700, Level::critical));
  sink.on_tick(at(1'600, Level::calm));  // a clock that ran backwards adds nothing
  const TickTotals totals = sink.get();
  EXPECT_EQ(totals.turns, 4u);
  EXPECT_EQ(totals.first_us, 1'000u);
  EXPECT_EQ(totals.cost_us, 12u);
  EXPECT_EQ(totals.level_us, (std::array<std::uint64_t, 4>{500, 0, 200, 0}));
}

TEST(TickTotals, OutcomesGoToTheirRung) {
  Tick tick = at(1, Level::calm);
  tick.observation.outcomes.push_back(outcome(Verb::release, Status::done, 10));
  tick.observation.outcomes.push_back(outcome(Verb::release, Status::failed, 1));
  tick.observation.outcomes.push_back(outcome(Verb::trim, Status::queued, 0));
  Outcome spill = outcome(Verb::spill, Status::more, 5);
  spill.bytes_spilled = 6;
  tick.observation.outcomes.push_back(spill);
  Outcome trim = outcome(Verb::trim, Status::done, 7);
  trim.tokens_trimmed = 8;
  trim.tokens_lost = 2;
  tick.observation.outcomes.push_back(trim);
  TickTotals totals;
  totals.add(tick, nullptr);
  EXPECT_EQ(totals.actions, (std::array<std::uint64_t, 5>{2, 0, 1, 0, 1}));
  EXPECT_EQ(totals.bytes_released, (std::array<std::uint64_t, 5>{11, 0, 5, 0, 7}));
  EXPECT_EQ(totals.failures, 1u);
  EXPECT_EQ(totals.bytes_spilled, 6u);
  EXPECT_EQ(totals.tokens_trimmed, 8u);
  EXPECT_EQ(totals.tokens_lost, 2u);
}

TEST(TickTotals, ThePassedOnTickIsTheSame) {
  struct Keeper : EventSink {
    void on_tick(const Tick& tick) override { kept = tick; }
    Tick kept;
  } keeper;
  TotalsSink sink(&keeper);
  const Tick tick = at(9, Level::elevated);
  sink.on_tick(tick);
  EXPECT_EQ(keeper.kept, tick);
}

}  // namespace
}  // namespace kvpsi
