// SPDX-License-Identifier: MIT
// PSI totals against what was measured on a kernel, and when unprivileged triggers fire.
#include "sim/pressure_model.h"

#include <gtest/gtest.h>

namespace kvpsi {
namespace {

constexpr std::uint64_t kStepUs = 20'000;

class PressureModelTest : public testing::Test {
 protected:
  PressureModel make(bool present = true) {
    Prng prng(7);
    PressureModel model(prng, 2, present, true);
    model.start(now_us_, prng);
    return model;
  }
  /// Runs for a while; returns how often a trigger fired.
  int run(PressureModel& model, const Stalls& stalls, double seconds) {
    int fired = 0;
    for (double t = 0; t < seconds; t += 0.02) {
      now_us_ += kStepUs;
      if (model.add(stalls, now_us_, kStepUs)) ++fired;
    }
    return fired;
  }
  static Sample read(const PressureModel& model) {
    Sample sample;
    model.fill(sample);
    return sample;
  }
  std::uint64_t now_us_ = 5'000'000;
};

TEST_F(PressureModelTest, two_busy_processors_halve_the_system_total) {
  PressureModel model = make();
  const Sample before = read(model);
  run(model, {.own = 0.5, .outside_works = true}, 8);
  const Sample after = read(model);
  const auto own = after.psi_own->some_us_total - before.psi_own->some_us_total;
  const auto system = after.psi_system->some_us_total - before.psi_system->some_us_total;
  EXPECT_NEAR(static_cast<double>(own), 4e6, 2e4);  // measured: 3.99 s
  EXPECT_NEAR(static_cast<double>(system), 2e6, 2e4);
  EXPECT_LT(after.psi_own->full_us_total - before.psi_own->full_us_total, own);
}

TEST_F(PressureModelTest, a_neighbour_below_our_limit_shows_at_the_parent_only) {
  PressureModel model = make();
  const Sample before = read(model);
  run(model, {.group_others = 0.3, .group_works = true}, 4);
  const Sample after = read(model);
  EXPECT_EQ(after.psi_own->some_us_total, before.psi_own->some_us_total);
  EXPECT_NEAR(
      static_cast<double>(after.psi_parent->some_us_total - before.psi_parent->some_us_total), 6e5,
      1e4);
}

TEST_F(PressureModelTest, triggers_fire_on_the_tick_of_two_seconds_and_not_below_100_ms) {
  PressureModel model = make();
  EXPECT_EQ(run(model, {.own = 0.045}, 20), 0);  // 90 ms in 2 s
  EXPECT_EQ(run(model, {}, 4), 0);
  const std::uint64_t since_us = now_us_;
  int steps = 0;
  while (!model.add({.own = 0.5}, now_us_ += kStepUs, kStepUs)) ++steps;
  EXPECT_GE(now_us_ - since_us, 100'000U);
  EXPECT_LE(now_us_ - since_us, 4'000'000U);
  const int fired = run(model, {.own = 0.5}, 20);
  EXPECT_GE(fired, 20);  // own and parent, each at a phase of its own, once in 2 s
  EXPECT_LE(fired, 30);
}

TEST_F(PressureModelTest, absent_files_show_nothing_and_come_back_from_zero) {
  PressureModel model = make(false);
  EXPECT_EQ(run(model, {.own = 0.5}, 10), 0);
  EXPECT_FALSE(read(model).psi_own || read(model).psi_parent || read(model).psi_system);
  model.return_from_zero();
  EXPECT_EQ(read(model).psi_own->some_us_total, 0U);
  run(model, {.own = 0.5}, 1);
  model.vanish();
  EXPECT_FALSE(read(model).psi_own);
}

TEST_F(PressureModelTest, a_leap_of_the_clock_is_one_tick) {
  PressureModel model = make();
  run(model, {.own = 0.5}, 1);
  now_us_ += 30'000'000;
  EXPECT_LE(run(model, {}, 4), 2);
}

}  // namespace
}  // namespace kvpsi
