// SPDX-License-Identifier: MIT
// A table of every edge of every level: the signal just below it, the one just at it.
#include "policy/levels.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/drive.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kLow = 30 * kMiB;
constexpr std::uint64_t kHigh = 60 * kMiB;

Signal calm_signal() {
  Signal signal;
  signal.psi_present = true;
  signal.headroom_bytes = 500 * kMiB;
  signal.reserve_low_bytes = kLow;
  signal.reserve_high_bytes = kHigh;
  return signal;
}

struct Edge {
  std::string name;
  void (*change)(Signal&);
  Level level;
};

class EnterEdges : public testing::TestWithParam<Edge> {};

TEST_P(EnterEdges, FindsTheLevel) {
  Signal signal = calm_signal();
  GetParam().change(signal);
  EXPECT_EQ(name(find_level(signal, PolicyConfig{})), name(GetParam().level));
}

void stall(Signal& s, double some, bool active) {
  s.some_fast = some;
  s.reclaim_active = active;
}
void room(Signal& s, std::int64_t headroom, double some) {
  s.headroom_bytes = headroom;
  s.some_fast = some;
}
void no_psi(Signal& s, double faults, bool active) {
  s.psi_present = false;
  s.headroom_bytes = 10 * kMiB;
  s.major_faults_per_s = faults;
  s.reclaim_active = active;
}

INSTANTIATE_TEST_SUITE_P(
    Levels, EnterEdges,
    testing::Values(
        Edge{"nothing", [](Signal&) {}, Level::calm},
        Edge{"draining", [](Signal& s) { s.draining = true; }, Level::high},
        Edge{"some_below_elevated", [](Signal& s) { stall(s, 0.049, true); }, Level::calm},
        Edge{"some_elevated", [](Signal& s) { stall(s, 0.05, true); }, Level::elevated},
        Edge{"some_elevated_without_reclaim", [](Signal& s) { stall(s, 0.5, false); }, Level::calm},
        Edge{"some_below_high", [](Signal& s) { stall(s, 0.099, true); }, Level::elevated},
        Edge{"some_high", [](Signal& s) { stall(s, 0.10, true); }, Level::high},
        Edge{"full_below_critical", [](Signal& s) { stall(s, 0.10, true), s.full_fast = 0.049; },
             Level::high},
        Edge{"full_critical", [](Signal& s) { stall(s, 0.10, true), s.full_fast = 0.05; },
             Level::critical},
        Edge{"full_without_reclaim", [](Signal& s) { s.full_fast = 0.5; }, Level::calm},
        Edge{"low_without_stall", [](Signal& s) { room(s, -5, 0); }, Level::calm},
        Edge{"low_with_too_little_stall", [](Signal& s) { room(s, kLow - 1, 0.009); }, Level::calm},
        Edge{"low_with_stall", [](Signal& s) { room(s, kLow - 1, 0.01); }, Level::high},
        Edge{"at_low_reserve", [](Signal& s) { room(s, kLow, 0.01); }, Level::elevated},
        Edge{"below_high_reserve", [](Signal& s) { room(s, kHigh - 1, 0.01); }, Level::elevated},
        Edge{"at_high_reserve", [](Signal& s) { room(s, kHigh, 0.01); }, Level::calm},
        Edge{"limit_hit_alone", [](Signal& s) { s.limit_hit = true; }, Level::calm},
        Edge{"limit_hit_with_stall", [](Signal& s) { s.limit_hit = true, s.some_fast = 0.01; },
             Level::elevated},
        Edge{"empties_slowly", [](Signal& s) { s.time_to_empty_s = 2.5; }, Level::calm},
        Edge{"empties_soon", [](Signal& s) { s.time_to_empty_s = 2.49; }, Level::high},
        Edge{"empties_not_yet", [](Signal& s) { s.time_to_empty_s = 0.75; }, Level::high},
        Edge{"empties_now", [](Signal& s) { s.time_to_empty_s = 0.74; }, Level::critical},
        Edge{"hinted", [](Signal& s) { s.hinted = true; }, Level::elevated},
        Edge{"oom_near", [](Signal& s) { s.oom_near = true; }, Level::high},
        Edge{"oom_kill", [](Signal& s) { s.oom_kill = true; }, Level::critical},
        Edge{"no_psi_low_alone", [](Signal& s) { no_psi(s, 0, true); }, Level::calm},
        Edge{"no_psi_few_faults", [](Signal& s) { no_psi(s, 19, true); }, Level::calm},
        Edge{"no_psi_faults_without_reclaim", [](Signal& s) { no_psi(s, 20, false); }, Level::calm},
        Edge{"no_psi_faults", [](Signal& s) { no_psi(s, 20, true); }, Level::high}),
    [](const auto& edge) { return edge.param.name; });

struct QuietEdge {
  std::string name;
  Level level;
  void (*change)(Signal&);
  bool quiet;
};

class LeaveEdges : public testing::TestWithParam<QuietEdge> {};

TEST_P(LeaveEdges, KnowsWhenItIsQuiet) {
  Signal signal = calm_signal();
  GetParam().change(signal);
  EXPECT_EQ(is_quiet(GetParam().level, signal, PolicyConfig{}), GetParam().quiet);
}

INSTANTIATE_TEST_SUITE_P(
    Levels, LeaveEdges,
    testing::Values(
        QuietEdge{"critical_full", Level::critical, [](Signal& s) { s.full_fast = 0.005; }, false},
        QuietEdge{"critical_ends", Level::critical, [](Signal& s) { s.full_fast = 0.0049; }, true},
        QuietEdge{"critical_oom", Level::critical, [](Signal& s) { s.oom_kill = true; }, false},
        QuietEdge{"critical_empties", Level::critical, [](Signal& s) { s.time_to_empty_s = 1.49; },
                  false},
        QuietEdge{"high_stalls", Level::high, [](Signal& s) { s.some_fast = 0.02; }, false},
        QuietEdge{"high_ends", Level::high, [](Signal& s) { s.some_fast = 0.0199; }, true},
        QuietEdge{"high_low_room", Level::high,
                  [](Signal& s) { room(s, static_cast<std::int64_t>(kLow * 1.25) - 1, 0.005); },
                  false},
        QuietEdge{"high_enough_room", Level::high,
                  [](Signal& s) { room(s, static_cast<std::int64_t>(kLow * 1.25), 0.0199); }, true},
        QuietEdge{"high_low_room_silent", Level::high, [](Signal& s) { room(s, -1, 0.0049); },
                  true},
        QuietEdge{"high_empties", Level::high, [](Signal& s) { s.time_to_empty_s = 4.99; }, false},
        QuietEdge{"high_oom_near", Level::high, [](Signal& s) { s.oom_near = true; }, false},
        QuietEdge{"elevated_stalls", Level::elevated, [](Signal& s) { s.some_fast = 0.01; }, false},
        QuietEdge{"elevated_ends", Level::elevated, [](Signal& s) { s.some_fast = 0.0099; }, true},
        QuietEdge{"elevated_room", Level::elevated, [](Signal& s) { room(s, kHigh - 1, 0.005); },
                  false},
        QuietEdge{"elevated_silent", Level::elevated, [](Signal& s) { room(s, -1, 0.0049); }, true},
        QuietEdge{"calm_has_nothing_to_leave", Level::calm, [](Signal&) {}, false}),
    [](const auto& edge) { return edge.param.name; });

TEST(Levels, AreEnteredAtOnceAndLeftOneAtATime) {
  test::Driver drive;
  drive.run(1);
  drive.world.own_some = 0.6;
  drive.world.own_full = 0.5;
  drive.world.limit_hits = 500;
  drive.tick(300'000);
  EXPECT_EQ(drive.state.level, Level::critical);

  drive.world.own_some = drive.world.own_full = drive.world.limit_hits = 0;
  // The window holds the stall for 2 s, then the level has to be quiet for 5 s.
  drive.run(6.5);
  EXPECT_EQ(drive.state.level, Level::critical);
  drive.run(0.6);
  EXPECT_EQ(drive.state.level, Level::high);
  drive.run(4.6);
  EXPECT_EQ(drive.state.level, Level::high);
  drive.run(0.4);
  EXPECT_EQ(drive.state.level, Level::elevated);
  drive.run(9.5);
  EXPECT_EQ(drive.state.level, Level::elevated);
  drive.run(0.4);
  EXPECT_EQ(drive.state.level, Level::calm);
}

TEST(Levels, ARelapseRestartsTheQuietTime) {
  test::Driver drive;
  drive.run(1);
  drive.world.own_some = 0.07;
  drive.world.limit_hits = 10;
  drive.run(2.5);
  EXPECT_EQ(drive.state.level, Level::elevated);
  drive.world.own_some = 0;
  drive.run(9);
  drive.world.own_some = 0.07;
  drive.run(2);
  drive.world.own_some = 0;
  drive.run(9);
  EXPECT_EQ(drive.state.level, Level::elevated);
  drive.run(4);
  EXPECT_EQ(drive.state.level, Level::calm);
}

TEST(Levels, TheFirstTwentyMillisecondsAreASign) {
  test::Driver drive;
  drive.run(3);
  drive.world.own_some = 0.2;
  drive.world.limit_hits = 100;
  drive.run(0.1);  // 20 ms have stalled
  EXPECT_EQ(drive.log.back().decision.reason, Reason::first_sign);
  EXPECT_EQ(drive.state.level, Level::elevated) << "1 % of 2 s and a limit that is hit";
  drive.run(0.8);
  EXPECT_EQ(drive.state.level, Level::elevated);
  drive.run(0.1);  // 200 ms within 2 s = 10 %
  EXPECT_EQ(drive.state.level, Level::high);
}

}  // namespace
}  // namespace kvpsi
