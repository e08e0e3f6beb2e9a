// SPDX-License-Identifier: MIT
// What must hold in every scenario whatever a governor does: here one that acts at random. Bytes
// add up, nothing is negative, counters never run backwards unless the scenario says so.
#include <gtest/gtest.h>

#include <array>

#include <string>

#include "sim/constants.h"
#include "sim/machine.h"

namespace kvpsi {
namespace {

bool has_event(const Scenario& scenario, EventKind kind) {
  for (const EventSpec& event : scenario.events) {
    if (event.kind == kind) return true;
  }
  return false;
}

struct Bounds : Watcher {
  explicit Bounds(const Scenario& scenario) : scenario_(scenario) {}
  void on_instant(const Instant& instant) override {
    EXPECT_LE(instant.kv_live_bytes, instant.kv_resident_bytes);
    EXPECT_LE(instant.kv_resident_bytes, scenario_.engine.context_bytes());
    EXPECT_LE(instant.kv_full_bytes, instant.kv_context_bytes);
    EXPECT_LE(instant.own_stall_us, instant.dt_us);
    EXPECT_LE(instant.others_stall_us, instant.dt_us);
    EXPECT_EQ(instant.shortage_bytes > 0, instant.headroom_bytes < 0);
    EXPECT_GT(instant.t_us, last_.t_us);
    EXPECT_GE(instant.tokens_decoded, last_.tokens_decoded);
    EXPECT_GE(instant.oom_kills, last_.oom_kills);
    last_ = instant;
  }
  const Scenario& scenario_;
  Instant last_;
};

void check_sample(const Sample& sample, const Scenario& scenario) {
  EXPECT_LE(*sample.mem_available_bytes, *sample.mem_total_bytes);
  EXPECT_LE(*sample.swap_free_bytes, scenario.machine.swap_bytes);
  EXPECT_LE(sample.own_file_bytes, sample.own_file_wanted_bytes + kMachine.hidden_file_bytes);
  if (!sample.group_limit_bytes) return;
  EXPECT_LE(*sample.group_file_bytes, *sample.group_usage_bytes);
  EXPECT_LE(*sample.group_usage_bytes, *sample.group_limit_bytes);
}

void check_order(const Sample& before, const Sample& now) {
  EXPECT_GE(now.t_us, before.t_us);
  EXPECT_GE(*now.system_scan_pages_total, *before.system_scan_pages_total);
  EXPECT_GE(now.own_major_faults_total, before.own_major_faults_total);
  if (before.group_limit_hits_total && now.group_limit_hits_total) {
    EXPECT_GE(*now.group_limit_hits_total, *before.group_limit_hits_total);
  }
  if (before.psi_own && now.psi_own) {
    EXPECT_GE(now.psi_own->some_us_total, before.psi_own->some_us_total);
    EXPECT_GE(now.psi_own->full_us_total, before.psi_own->full_us_total);
    EXPECT_LE(now.psi_own->some_us_total - before.psi_own->some_us_total,
              now.t_us - before.t_us + 1);
  }
}

/// A governor that releases, trims and sets budgets at random.
class Monkey {
 public:
  Monkey(Machine& machine, std::uint64_t seed) : machine_(machine), prng_(seed) {}

  void step() {
    machine_.wait(10'000 + prng_.below(400'000));
    for (MemoryPool* pool : machine_.pools()) {
      Outcomes ended;
      pool->drain(ended);
      for (const Outcome& outcome : ended) take(outcome);
      const PoolView view = pool->view();
      Action action{.decision_id = ++decisions_, .pool = pool->kind(), .budget_us = 20'000};
      constexpr std::array kVerbs{Verb::release, Verb::trim, Verb::spill, Verb::restore};
      const std::uint64_t choice = prng_.below(16);
      if (choice >= kVerbs.size()) continue;
      action.verb = kVerbs[choice];
      const std::uint64_t most = action.verb == Verb::trim    ? view.trimmable_bytes
                                 : action.verb == Verb::spill ? view.spillable_bytes
                                                              : view.spilled_bytes;
      action.bytes = prng_.below(most + 1);
      const Outcome outcome = pool->apply(action);
      if (outcome.status != Status::queued) take(outcome);
    }
    if (prng_.below(20) == 0) {
      machine_.pools()[0]->set_budget(prng_.below(machine_.scenario().engine.context_bytes()));
    } else if (prng_.below(10) == 0) {
      machine_.pools()[0]->set_budget(std::nullopt);
    }
  }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t tokens() const { return tokens_; }

 private:
  void take(const Outcome& outcome) {
    bytes_ += outcome.bytes_released;
    tokens_ += outcome.tokens_trimmed;
  }
  Machine& machine_;
  Prng prng_;
  std::uint64_t decisions_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t tokens_ = 0;
};

TEST(MachineInvariantsTest, hold_under_a_governor_that_acts_at_random) {
  for (const ShippedScenario& shipped : shipped_scenarios()) {
    const auto scenario = parse_scenario(shipped.text, shipped.name);
    ASSERT_TRUE(scenario);
    const bool resets = has_event(*scenario, EventKind::counter_reset) ||
                        has_event(*scenario, EventKind::psi_returns);
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      SCOPED_TRACE(std::string(shipped.name) + " seed " + std::to_string(seed));
      Machine machine(*scenario, seed);
      Bounds bounds(machine.scenario());
      machine.set_watcher(&bounds);
      Monkey monkey(machine, seed);
      Sample before = machine.sample();
      std::uint64_t bytes = 0, tokens = 0;  // before the last turn: totals are of whole steps
      while (!machine.ended()) {
        bytes = monkey.bytes();
        tokens = monkey.tokens();
        monkey.step();
        const Sample now = machine.sample();
        check_sample(now, machine.scenario());
        if (!resets) check_order(before, now);
        before = now;
      }
      EXPECT_LE(bytes, machine.totals().bytes_released);
      EXPECT_LE(tokens, machine.totals().tokens_trimmed);
      EXPECT_TRUE(tokens == 0 || machine.totals().tokens_trimmed > 0);
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace kvpsi
