// SPDX-License-Identifier: MIT
// The rule of the verdict at its edges: too few pairs, one order, orders that disagree, runs that
// failed, claims in both directions.
#include "bench/verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "bench/verdict_account.h"

namespace kvpsi {
namespace {

Trial make_trial(std::uint32_t number, Order order, Variant variant, double tok_s) {
  Trial trial;
  trial.trial = number;
  trial.order = order;
  trial.variant = variant;
  trial.tok_s = tok_s;
  return trial;
}

/// Pairs of psi and another variant, in alternating orders; ratios[i] = psi / other of trial i.
BenchResults results_with(const std::vector<double>& ratios, Variant other,
                          bool one_order = false) {
  BenchResults results;
  results.context.squeezes.emplace_back();
  for (std::uint32_t i = 0; i < ratios.size(); ++i) {
    const Order order = one_order || i % 2 == 0 ? Order::fixed_first : Order::psi_first;
    results.trials.push_back(make_trial(i + 1, order, other, 10));
    results.trials.push_back(make_trial(i + 1, order, Variant::psi, 10 * ratios[i]));
  }
  return results;
}

Verdict find_verdict(const BenchResults& results, std::string_view metric) {
  const auto verdicts = judge(results, 1);
  const auto found = std::ranges::find(verdicts, metric, &Verdict::metric);
  if (found == verdicts.end()) {
    ADD_FAILURE() << "no verdict on " << metric;
    return {};
  }
  return *found;
}

TEST(Verdict, SupportedWhenIntervalAndBothOrdersSayIt) {
  const auto verdict =
      find_verdict(results_with({10, 11, 12, 11, 10, 12}, Variant::fixed), "S1 psi/fixed tok_s");
  EXPECT_TRUE(verdict.words.starts_with("supported")) << verdict.words;
  EXPECT_DOUBLE_EQ(verdict.ratio_median, 11);
  EXPECT_EQ(verdict.n, 6U);
  ASSERT_TRUE(verdict.ci95_lo && verdict.order_effect);
  EXPECT_GE(*verdict.ci95_lo, 10);
  EXPECT_DOUBLE_EQ(*verdict.order_effect, 10.0 / 11.0);
}

TEST(Verdict, ContradictedIsSaidAsPlainly) {
  const auto verdict =
      find_verdict(results_with({0.5, 0.6, 0.5, 0.6}, Variant::fixed), "S1 psi/fixed tok_s");
  EXPECT_TRUE(verdict.words.starts_with("contradicted")) << verdict.words;
}

TEST(Verdict, InconclusiveBelowThreePairs) {
  const auto verdict = find_verdict(results_with({10, 11}, Variant::fixed), "S1 psi/fixed tok_s");
  EXPECT_TRUE(verdict.words.starts_with("inconclusive: 2 pairs")) << verdict.words;
  EXPECT_FALSE(verdict.ci95_lo);
  EXPECT_NE(verdict.words.find("10.50"), std::string::npos) << "the ratio is still shown";
}

TEST(Verdict, InconclusiveWithOneOrderOnly) {
  const auto verdict =
      find_verdict(results_with({10, 11, 12, 13}, Variant::fixed, true), "S1 psi/fixed tok_s");
  EXPECT_TRUE(verdict.words.starts_with("inconclusive: only one order")) << verdict.words;
  EXPECT_FALSE(verdict.order_effect);
}

TEST(Verdict, InconclusiveWhenTheIntervalHoldsOne) {
  const auto verdict =
      find_verdict(results_with({0.7, 1.4, 0.8, 1.5, 0.9}, Variant::fixed), "S1 psi/fixed tok_s");
  EXPECT_TRUE(verdict.words.starts_with("inconclusive: the interval")) << verdict.words;
}

TEST(Verdict, InconclusiveWhenTheOrdersDisagree) {
  // Seven of ten pairs are well above one, but those with psi first are not.
  std::vector<double> ratios = {5, 0.9, 5, 0.9, 5, 5, 5, 0.9, 5, 5, 5, 5, 5, 5};
  auto results = results_with(ratios, Variant::fixed);
  for (auto& trial : results.trials) {
    const double ratio = ratios[trial.trial - 1];
    trial.order = ratio < 1 ? Order::psi_first : Order::fixed_first;
  }
  const auto verdict = find_verdict(results, "S1 psi/fixed tok_s");
  EXPECT_TRUE(verdict.words.starts_with("inconclusive: the two orders")) << verdict.words;
}

TEST(Verdict, HeadlineNeedsMedianAndFloor) {
  const auto good =
      find_verdict(results_with({0.92, 0.95, 0.93, 0.94, 0.92, 0.96}, Variant::unsqueezed),
                   "S1 psi/unsqueezed tok_s");
  EXPECT_TRUE(good.words.starts_with("supported")) << good.words;
  const auto low = find_verdict(results_with({0.5, 0.55, 0.52, 0.51}, Variant::unsqueezed),
                                "S1 psi/unsqueezed tok_s");
  EXPECT_TRUE(low.words.starts_with("contradicted")) << low.words;
  const auto between =
      find_verdict(results_with({0.80, 0.95, 0.80, 0.95, 0.92, 0.80}, Variant::unsqueezed),
                   "S1 psi/unsqueezed tok_s");
  EXPECT_TRUE(between.words.starts_with("inconclusive")) << between.words;
}

TEST(Verdict, FailedRunsCountAsZeroAndAreNamed) {
  auto results = results_with({10, 11, 12, 11}, Variant::fixed);
  results.trials[1].exit = "oom-killed";  // psi of trial 1
  results.trials[2].exit = "prefill-timeout";
  results.trials[2].tok_s = 0;  // fixed of trial 2
  const auto verdict = find_verdict(results, "S1 psi/fixed tok_s");
  EXPECT_EQ(verdict.n, 3U);
  EXPECT_NE(verdict.words.find("1 run of psi did not end well"), std::string::npos)
      << verdict.words;
  EXPECT_NE(verdict.words.find("1 more where fixed decoded nothing"), std::string::npos)
      << verdict.words;
  EXPECT_FALSE(verdict.words.starts_with("supported"));
}

TEST(Verdict, WithoutPressureThereIsNothingToCompare) {
  auto results = results_with({10, 11, 12, 11}, Variant::fixed);
  results.context.squeezes[0].pressure_arose = false;
  const auto verdict = find_verdict(results, "S1 psi/fixed tok_s");
  EXPECT_TRUE(verdict.words.starts_with("inconclusive: no pressure arose")) << verdict.words;
}

TEST(Verdict, NeighbourIsComparedWithItselfAlone) {
  auto results = results_with({1, 1, 1, 1}, Variant::unsqueezed);
  results.context.squeezes[0].neighbour_alone = NeighbourRate{1000, 2.0};
  for (auto& trial : results.trials) {
    if (trial.variant == Variant::psi) trial.neighbour = NeighbourRate{980, 2.1};
  }
  EXPECT_TRUE(find_verdict(results, "S1 neighbour psi/alone rounds_s").words.starts_with("supp"));
  EXPECT_TRUE(find_verdict(results, "S1 neighbour psi/alone p99_ms").words.starts_with("supp"));
  for (auto& trial : results.trials) {
    if (trial.neighbour) trial.neighbour->p99_ms = 9;
  }
  EXPECT_TRUE(find_verdict(results, "S1 neighbour psi/alone p99_ms").words.starts_with("contra"));
}

TEST(Verdict, NeighbourIsComparedWithUnsqueezedToo) {
  auto results = results_with({1, 1, 1, 1}, Variant::unsqueezed);
  for (auto& trial : results.trials) {
    trial.neighbour = trial.variant == Variant::psi ? NeighbourRate{800, 2} : NeighbourRate{400, 2};
  }
  const auto rounds = find_verdict(results, "S1 neighbour psi/unsqueezed rounds_s");
  EXPECT_DOUBLE_EQ(rounds.ratio_median, 2);
  EXPECT_TRUE(rounds.words.starts_with("supported")) << rounds.words;
  results.trials[0].neighbour.reset();
  EXPECT_EQ(find_verdict(results, "S1 neighbour psi/unsqueezed rounds_s").n, 3U);
}

TEST(Verdict, RunsOfDifferentTrialsAreNeverPaired) {
  BenchResults results;
  results.context.squeezes.emplace_back();
  results.trials = {make_trial(1, Order::fixed_first, Variant::fixed, 10),
                    make_trial(2, Order::psi_first, Variant::psi, 20)};
  EXPECT_TRUE(judge(results, 1).empty());
}

/// Runs of psi under a squeeze, each changed by `change`.
BenchResults psi_runs(Squeeze squeeze, std::uint32_t runs,
                      const std::function<void(std::uint32_t, Trial&)>& change) {
  BenchResults results;
  results.context.squeezes.emplace_back().squeeze = squeeze;
  for (std::uint32_t i = 0; i < runs; ++i) {
    Trial trial = make_trial(i + 1, Order::fixed_first, Variant::psi, 10);
    trial.squeeze = squeeze;
    trial.text_equal = true;
    trial.idle = IdleTenants{.turns = 3, .turns_equal = 3};
    change(i, trial);
    results.trials.push_back(trial);
  }
  return results;
}

TEST(VerdictAccount, LosslessInEveryRunOrNotAtAll) {
  constexpr auto kMetric = "S3 psi runs lossless/all";
  const auto none = [](std::uint32_t, Trial&) {};
  const auto good = find_verdict(psi_runs(Squeeze::s3, 3, none), kMetric);
  EXPECT_TRUE(good.words.starts_with("supported")) << good.words;
  EXPECT_NE(good.words.find("9 of 9 later turns equal"), std::string::npos) << good.words;
  const auto few = find_verdict(psi_runs(Squeeze::s3, 2, none), kMetric);
  EXPECT_TRUE(few.words.starts_with("inconclusive: 2 runs")) << few.words;
  const std::vector<std::function<void(Trial&)>> faults = {
      [](Trial& trial) { trial.text_equal = false; },
      [](Trial& trial) { trial.idle->turns_equal = 2; },
      [](Trial& trial) { trial.tokens_trimmed = 1; }};
  for (const auto& fault : faults) {
    const auto results = psi_runs(Squeeze::s3, 2, [&](std::uint32_t run, Trial& trial) {
      if (run == 1) fault(trial);
    });
    const auto bad = find_verdict(results, kMetric);
    EXPECT_TRUE(bad.words.starts_with("contradicted")) << bad.words;
    EXPECT_DOUBLE_EQ(bad.ratio_median, 0.5);
  }
}

TEST(VerdictAccount, WhatWasTrimmedIsBackOrNot) {
  constexpr auto kMetric = "S2 psi tokens back/trimmed";
  const auto results_with_out = [](std::uint64_t lost, std::uint64_t out) {
    return psi_runs(Squeeze::s2, 3, [&](std::uint32_t run, Trial& trial) {
      trial.tokens_trimmed = 1000;
      if (run == 2) {
        trial.tokens_lost = lost;
        trial.tokens_out = out;
      }
      trial.tokens_restored = 1000 - trial.tokens_lost - trial.tokens_out;
    });
  };
  const auto good = find_verdict(results_with_out(0, 0), kMetric);
  EXPECT_TRUE(good.words.starts_with("supported")) << good.words;
  EXPECT_DOUBLE_EQ(good.ratio_median, 1);
  for (const auto& bad : {results_with_out(1, 0), results_with_out(0, 1)}) {
    EXPECT_TRUE(find_verdict(bad, kMetric).words.starts_with("contradicted"));
  }
}

TEST(VerdictAccount, SaysNothingWhereNothingCanTell) {
  const auto untrimmed = psi_runs(Squeeze::s2, 3, [](std::uint32_t, Trial&) {});
  const auto uncompared =
      psi_runs(Squeeze::s3, 3, [](std::uint32_t, Trial& trial) { trial.text_equal.reset(); });
  for (const auto& results : {untrimmed, uncompared}) {
    EXPECT_TRUE(judge_account(results, results.context.squeezes[0]).empty());
  }
  auto calm = psi_runs(Squeeze::s3, 3, [](std::uint32_t, Trial&) {});
  calm.context.squeezes[0].pressure_arose = false;
  const auto verdicts = judge_account(calm, calm.context.squeezes[0]);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_TRUE(verdicts[0].words.starts_with("inconclusive: no pressure")) << verdicts[0].words;
}

}  // namespace
}  // namespace kvpsi
