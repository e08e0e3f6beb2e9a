// SPDX-License-Identifier: MIT
// Spill, trim and restore under any bounded input: a world that turns every few seconds for ten
// minutes, with a pool that answers late, in parts or not at all. Nothing comes back under
// pressure, no context goes while idle rows could, steps are bounded, and nothing flaps.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>

#include "base/prng.h"
#include "policy/restore.h"
#include "support/drive.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kFullBytes = 8192 * 32 * kKiB;
constexpr std::uint64_t kMinuteUs = 60'000'000;

/// Anything that a neighbour, a limit, our own work or the disk may do.
void turn(Prng& random, test::World& world) {
  world.own_some = random.below(2) == 0 ? 0 : random.unit();
  world.own_full = world.own_some * random.unit();
  world.parent_some = random.below(3) == 0 ? random.unit() : 0;
  world.limit_hits = random.below(2) == 0 ? 0 : 300;
  world.usage_bytes = (300 + random.below(750)) * kMiB;
  world.usage_growth = random.below(3) == 0 ? random.unit() * 50 * kMiB : 0;
  PoolView& kv = world.kv;
  kv.live_bytes = kv.resident_bytes = random.below(kFullBytes);
  kv.trimmable_bytes = kv.live_bytes * 9 / 10;
  kv.spillable_bytes = random.below(3) == 0 ? 0 : random.below(kv.live_bytes + 1);
  kv.compactable_bytes = random.below(3) == 0 ? random.below(20 * kMiB) : 0;
  kv.spilled_bytes = random.below(3) == 0 ? 0 : random.below(kFullBytes);
  kv.trimmed_bytes = random.below(kv.spilled_bytes + 1);
  kv.waiting_bytes = random.below(4) == 0 ? random.below(20 * kMiB) : 0;
  kv.cells_live = random.below(8193);
}

/// Done, in part, queued, failed or nothing; what was queued ends some time later.
void answer_somehow(Prng& random, test::Driver& drive, std::deque<Outcome>& queued) {
  for (const Action& action : drive.log.back().decision.actions) {
    Outcome outcome{.decision_id = action.decision_id, .verb = action.verb, .pool = action.pool};
    outcome.t_us = drive.now_us;
    outcome.status = static_cast<Status>(random.below(5));
    if (outcome.status == Status::queued) queued.push_back(outcome);
    if (outcome.status <= Status::more) {
      const std::uint64_t moved = random.below(action.bytes + 1);
      (action.verb == Verb::restore ? outcome.bytes_restored : outcome.bytes_released) = moved;
    }
    drive.outcomes.push_back(outcome);
  }
  while (!queued.empty() && random.below(5) == 0 && !drive.outcomes.full()) {
    Outcome ended = queued.front();
    queued.pop_front();
    ended.status = random.below(3) == 0 ? Status::failed : Status::done;
    ended.t_us = drive.now_us;
    const std::uint64_t moved = ended.status == Status::done ? random.below(40 * kMiB) : 0;
    (ended.verb == Verb::restore ? ended.bytes_restored : ended.bytes_released) = moved;
    drive.outcomes.push_back(ended);
  }
}

struct Asked {
  std::uint64_t spill = 0, compact = 0, trim = 0, restore = 0;
};

Asked count(const Decision& decision) {
  Asked asked;
  for (const Action& action : decision.actions) {
    if (action.verb == Verb::spill) asked.spill += action.bytes;
    if (action.verb == Verb::compact) asked.compact += action.bytes;
    if (action.verb == Verb::trim) asked.trim += action.bytes;
    if (action.verb == Verb::restore) asked.restore += action.bytes;
  }
  return asked;
}

/// Context goes only for what idle rows that may be counted on cannot give.
void check_trim(const Decided& decided, const PolicyState& before, const test::Driver& drive,
                const Asked& asked) {
  if (asked.trim == 0 || decided.decision.reason != Reason::need) return;
  RC_ASSERT(decided.decision.level >= Level::high);
  const PoolView& kv = drive.world.kv;
  const bool runs = decided.state.spill.in_flight.decision_id != 0;
  const bool holds = drive.now_us < decided.state.spill.hold_until_us;
  RC_ASSERT(holds || runs || kv.spillable_bytes == 0 || asked.spill > 0);
  if (!holds) RC_ASSERT(decided.decision.need_bytes > kv.spillable_bytes);
  RC_ASSERT(before.decisions + 1 == decided.decision.id);
}

void check_restore(const Decided& decided, const test::Driver& drive, const Asked& asked) {
  if (asked.restore == 0) return;
  RC_ASSERT(decided.decision.actions.size() == 1u);
  RC_ASSERT(decided.signal.some_fast < drive.config.grow_some);
  RC_ASSERT(decided.state.pressed_us == 0 ||
            drive.now_us - decided.state.pressed_us >= drive.config.grow_hold_us * 4 / 5);
  RC_ASSERT(decided.state.last_sign_us == 0 ||
            drive.now_us - decided.state.last_sign_us >= drive.config.grow_hold_us);
  RC_ASSERT(asked.restore <= kFullBytes / 8);
  RC_ASSERT(asked.restore <= drive.world.kv.spilled_bytes);
  const std::int64_t left =
      decided.signal.headroom_bytes - static_cast<std::int64_t>(asked.restore);
  RC_ASSERT(left >= static_cast<std::int64_t>(decided.signal.reserve_high_bytes));
}

RC_GTEST_PROP(SpillAndRestore, KeepTheirRulesUnderAnyBoundedInput, (std::uint64_t seed)) {
  Prng random(seed);
  test::Driver drive;
  drive.config.trim_allowed = random.below(4) != 0;
  drive.config.trim_for_room = random.below(2) != 0;
  drive.config.kv_max_bytes = random.below(4) == 0 ? 200 * kMiB : 0;
  drive.world.kv.cells_total = 8192;
  drive.world.kv.bytes_per_cell = 32 * kKiB;
  std::deque<Outcome> queued;
  std::deque<std::uint64_t> turns_us;
  bool comes_back = false;
  std::uint64_t turn_us = 0, moved_us = 0;
  for (int tick = 0; tick < 6000; ++tick) {
    if (drive.now_us >= turn_us) {
      turn(random, drive.world);
      turn_us = drive.now_us + 300'000 + random.below(20'000'000);
    }
    drive.log.clear();
    const PolicyState before = drive.state;
    const Decided decided = drive.tick();
    const Asked asked = count(decided.decision);
    check_trim(decided, before, drive, asked);
    check_restore(decided, drive, asked);
    if (asked.spill + asked.trim + asked.restore > 0) {
      const bool turns =
          moved_us != 0 && comes_back != (asked.restore > 0) && drive.now_us - moved_us < kMinuteUs;
      comes_back = asked.restore > 0;
      moved_us = drive.now_us;
      if (turns) turns_us.push_back(drive.now_us);
      while (!turns_us.empty() && turns_us.front() + kMinuteUs < drive.now_us) turns_us.pop_front();
      RC_ASSERT(turns_us.size() <= 2u);
    }
    answer_somehow(random, drive, queued);
  }
}

}  // namespace
}  // namespace kvpsi
