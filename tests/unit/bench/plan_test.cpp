// SPDX-License-Identifier: MIT
// Plans are balanced, seeded, interleaved, and keep `small` behind psi; names parse both ways.
#include "bench/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace kvpsi {
namespace {

using enum Variant;

SqueezePlan plan_of(OrderChoice orders, std::uint32_t trials,
                    std::vector<Variant> variants = {unsqueezed, fixed, psi, small}) {
  return {Squeeze::s2, std::move(variants), orders, trials};
}

/// Runs by trial, each in sequence.
std::map<std::uint32_t, std::vector<PlannedRun>> by_trial(const std::vector<PlannedRun>& runs) {
  std::map<std::uint32_t, std::vector<PlannedRun>> trials;
  for (const auto& run : runs) trials[run.trial].push_back(run);
  return trials;
}

std::uint32_t position_of(const std::vector<PlannedRun>& runs, Variant variant) {
  return std::ranges::find(runs, variant, &PlannedRun::variant)->position;
}

TEST(Plan, BothOrdersAlternateAndBalance) {
  const auto runs = make_plan({plan_of(OrderChoice::both, 5)}, 42);
  ASSERT_TRUE(runs);
  EXPECT_EQ(runs->size(), 40U);
  int fixed_first = 0;
  Order last = Order::random;
  for (const auto& [trial, sequence] : by_trial(*runs)) {
    ASSERT_EQ(sequence.size(), 4U);
    const Order order = sequence.front().order;
    EXPECT_NE(order, last) << "trial " << trial << " repeats the order of the one before";
    last = order;
    fixed_first += order == Order::fixed_first ? 1 : 0;
    const bool fixed_before_psi = position_of(sequence, fixed) < position_of(sequence, psi);
    EXPECT_EQ(fixed_before_psi, order == Order::fixed_first);
  }
  EXPECT_EQ(fixed_first, 5);
}

TEST(Plan, SmallAlwaysFollowsPsiOfItsTrial) {
  for (const auto choice :
       {OrderChoice::fixed_first, OrderChoice::psi_first, OrderChoice::both, OrderChoice::random}) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const auto runs = make_plan({plan_of(choice, 4)}, seed);
      ASSERT_TRUE(runs);
      for (const auto& [trial, sequence] : by_trial(*runs)) {
        EXPECT_GT(position_of(sequence, small), position_of(sequence, psi));
      }
    }
  }
}

TEST(Plan, RandomPutsFixedFirstInHalfOfTheTrialsAndMovesTheOthers) {
  const auto runs = make_plan({plan_of(OrderChoice::random, 20)}, 5);
  ASSERT_TRUE(runs);
  int fixed_first = 0;
  std::map<std::uint32_t, int> places_of_unsqueezed;
  for (const auto& [trial, sequence] : by_trial(*runs)) {
    fixed_first += position_of(sequence, fixed) < position_of(sequence, psi) ? 1 : 0;
    ++places_of_unsqueezed[position_of(sequence, unsqueezed)];
  }
  EXPECT_EQ(fixed_first, 10);
  EXPECT_GE(places_of_unsqueezed.size(), 3U);
}

TEST(Plan, SameSeedSamePlanAndSomeSeedAnother) {
  const std::vector<SqueezePlan> plans = {plan_of(OrderChoice::both, 3)};
  EXPECT_EQ(*make_plan(plans, 1), *make_plan(plans, 1));
  bool differs = false;
  for (std::uint64_t seed = 2; seed < 12; ++seed) {
    differs = differs || *make_plan(plans, seed) != *make_plan(plans, 1);
  }
  EXPECT_TRUE(differs);
}

TEST(Plan, TrialsOfSeveralSqueezesHaveNumbersOfTheirOwn) {
  SqueezePlan first = plan_of(OrderChoice::fixed_first, 2, {fixed, psi});
  first.squeeze = Squeeze::s1;
  const auto runs = make_plan({first, plan_of(OrderChoice::both, 1)}, 1);
  ASSERT_TRUE(runs);
  const auto trials = by_trial(*runs);
  EXPECT_EQ(trials.size(), 4U);
  EXPECT_EQ(trials.at(2).front().squeeze, Squeeze::s1);
  EXPECT_EQ(trials.at(3).front().squeeze, Squeeze::s2);
}

TEST(Plan, RefusesWhatCannotRun) {
  EXPECT_FALSE(make_plan({plan_of(OrderChoice::both, 0)}, 1));
  EXPECT_FALSE(make_plan({plan_of(OrderChoice::both, 1, {})}, 1));
  const auto lonely = make_plan({plan_of(OrderChoice::both, 1, {fixed, small})}, 1);
  ASSERT_FALSE(lonely);
  EXPECT_NE(lonely.error().what.find("add psi"), std::string::npos);
}

TEST(Plan, RefusesVariantsThatMeanNothingUnderTheirSqueeze) {
  const auto words_of = [](Squeeze squeeze, Variant variant) {
    const auto plan = make_plan({{squeeze, {fixed, psi, variant}, OrderChoice::both, 1}}, 1);
    return plan ? std::string() : plan.error().what;
  };
  for (const auto variant : {small, trim_only, psi_strict}) {
    const auto words = words_of(Squeeze::s3, variant);
    EXPECT_NE(words.find(name(variant)), std::string::npos) << words;
    EXPECT_NE(words.find("S3"), std::string::npos) << words;
  }
  EXPECT_NE(words_of(Squeeze::s1, psi_strict), "");
  EXPECT_EQ(words_of(Squeeze::s2, psi_strict), "");
  EXPECT_EQ(words_of(Squeeze::s3, release_only), "");
}

TEST(Plan, NamesParseBothWays) {
  for (const auto variant : kVariants) EXPECT_EQ(parse_variant(name(variant)), variant);
  for (const auto squeeze : kSqueezes) EXPECT_EQ(parse_squeeze(name(squeeze)), squeeze);
  EXPECT_FALSE(parse_squeeze("S9"));
  EXPECT_EQ(*parse_order_choice("both"), OrderChoice::both);
  EXPECT_EQ(*parse_order_choice("psi-first"), OrderChoice::psi_first);
  const auto wrong = parse_variant("PSI");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(wrong.error().what.find("release-only"), std::string::npos);
  EXPECT_NE(parse_order_choice("none").error().what.find("both"), std::string::npos);
}

TEST(Plan, ListsKeepTheirSequenceAndRefuseRepeats) {
  EXPECT_EQ(*parse_variants("psi,fixed"), (std::vector{psi, fixed}));
  EXPECT_FALSE(parse_variants("psi,,fixed"));
  EXPECT_FALSE(parse_variants("psi,psi"));
  EXPECT_FALSE(parse_squeezes(""));
  EXPECT_EQ(parse_squeezes("S1,reference")->size(), 2U);
}

}  // namespace
}  // namespace kvpsi
