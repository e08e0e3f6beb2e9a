// SPDX-License-Identifier: MIT
// The budget under any bounded input: a world that turns every few seconds for ten minutes. It
// never grows within the hold, never by more than a step, and never flaps.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <limits>

#include "base/prng.h"
#include "support/drive.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kFullBytes = 8192 * 32 * kKiB;
constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kMinuteUs = 60'000'000;

/// Anything that a neighbour, a limit or our own work may do.
void turn(Prng& random, test::World& world) {
  world.own_some = random.below(2) == 0 ? 0 : random.unit();
  world.own_full = world.own_some * random.unit();
  world.parent_some = random.below(3) == 0 ? random.unit() : 0;
  world.limit_hits = random.below(2) == 0 ? 0 : 300;
  world.scan_pages = random.below(4) == 0 ? 20'000 : 0;
  world.usage_bytes = (300 + random.below(750)) * kMiB;
  world.usage_growth = random.below(3) == 0 ? random.unit() * 50 * kMiB : 0;
  world.kv.live_bytes = random.below(kFullBytes);
  world.kv.trimmable_bytes = world.kv.live_bytes * 9 / 10;
  world.kv.resident_bytes = world.kv.live_bytes;
}

/// Counts turns as the simulator's stability checker does.
class Turns {
 public:
  /// The budget moved; returns the turns of the last minute.
  std::size_t move(bool rises, std::uint64_t now_us) {
    const bool turns = moved_us_ != 0 && rises != rises_ && now_us - moved_us_ < kMinuteUs;
    rises_ = rises;
    moved_us_ = now_us;
    if (turns) turns_us_.push_back(now_us);
    while (!turns_us_.empty() && turns_us_.front() + kMinuteUs < now_us) turns_us_.pop_front();
    return turns_us_.size();
  }

 private:
  bool rises_ = false;
  std::uint64_t moved_us_ = 0;
  std::deque<std::uint64_t> turns_us_;
};

RC_GTEST_PROP(Budget, NeverFlapsNorGrowsWithinItsHold, (std::uint64_t seed)) {
  Prng random(seed);
  test::Driver drive;
  drive.world.kv.cells_total = 8192;
  drive.world.kv.bytes_per_cell = 32 * kKiB;
  Turns turns;
  std::uint64_t budget = kUnbounded;
  std::uint64_t turn_us = 0;
  for (int tick = 0; tick < 6000; ++tick) {
    if (drive.now_us >= turn_us) {
      turn(random, drive.world);
      turn_us = drive.now_us + 300'000 + random.below(20'000'000);
    }
    drive.log.clear();
    const Decided& decided = drive.tick();
    const std::uint64_t now = decided.decision.kv_budget_bytes.value_or(kUnbounded);
    RC_ASSERT(now >= kFullBytes / 16);
    if (now > budget) {
      const std::uint64_t calm_us = drive.now_us - drive.state.pressed_us;
      RC_ASSERT(calm_us >= 4'000'000);  // the hold less a fifth
      RC_ASSERT(drive.state.undone_us == 0 || drive.now_us - drive.state.undone_us >= kMinuteUs);
      RC_ASSERT(decided.signal.some_fast < drive.config.grow_some);
      const std::uint64_t base = std::max(budget, drive.world.kv.live_bytes);
      RC_ASSERT(std::min(now, kFullBytes) <= base + kFullBytes / 8);
    }
    if (now != budget) RC_ASSERT(turns.move(now > budget, drive.now_us) <= 2);
    budget = now;
  }
}

}  // namespace
}  // namespace kvpsi
