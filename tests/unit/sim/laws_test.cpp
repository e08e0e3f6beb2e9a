// SPDX-License-Identifier: MIT
// Every law of the list runs, forgets between runs, and
// does in a simulated run what it is known for.
#include "sim/laws.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "sim/run.h"
#include "support/shipped.h"

namespace kvpsi {
namespace {

using test::load_shipped;

TEST(Laws, AreListedOnceEachOursFirst) {
  std::set<std::string_view> names;
  for (const LawKind law : kLaws) EXPECT_TRUE(names.insert(name(law)).second) << name(law);
  EXPECT_EQ(kLaws.front(), LawKind::kvpsi);
  EXPECT_EQ(names.count("unknown"), 0u);
}

TEST(Laws, RememberNothingOfOtherRuns) {
  const Scenario scenario = load_shipped("step_lossy");
  for (const LawKind law : kLaws) {
    const RunReport one = run_scenario(scenario, 3, law);
    const RunReport two = run_scenario(scenario, 3, law);
    EXPECT_EQ(one.turns, two.turns) << name(law);
    EXPECT_EQ(one.score.own_stall_s, two.score.own_stall_s) << name(law);
    EXPECT_EQ(one.score.tokens_lost, two.score.tokens_lost) << name(law);
    EXPECT_GT(one.score.tokens_decoded, 0u) << name(law);
  }
}

TEST(Laws, ActAsTheyAreKnownTo) {
  const Scenario scenario = load_shipped("step_lossy");
  const auto stall = [&](LawKind law) { return run_scenario(scenario, 1, law).score.own_stall_s; };
  const double none = stall(LawKind::none);
  EXPECT_GT(none, 10);
  EXPECT_LT(stall(LawKind::arc), 0.1 * none) << "it watches what is free, and steps by the deficit";
  EXPECT_LT(stall(LawKind::avg10), 0.5 * none);
  EXPECT_GT(stall(LawKind::cachelib), 0.5 * none) << "it may give up a fifth only, too little here";
  EXPECT_GT(stall(LawKind::senpai), 0.9 * none) << "it backs off from pressure";
}

TEST(Laws, HotPageCacheThatLooksFreeMisleadsThoseWhoReadFreeMemoryOnly) {
  const Scenario scenario = load_shipped("files_neighbour");
  const double ours = run_scenario(scenario, 1, LawKind::kvpsi).score.own_stall_s;
  for (const LawKind law : {LawKind::arc, LawKind::cachelib}) {
    const Score score = run_scenario(scenario, 1, law).score;
    EXPECT_GT(score.own_stall_s, 2 * ours) << name(law);
    EXPECT_EQ(score.tokens_lost, 0u) << name(law);
  }
}

}  // namespace
}  // namespace kvpsi
