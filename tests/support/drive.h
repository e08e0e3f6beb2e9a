// SPDX-License-Identifier: MIT
// Drives decide() by hand: builds observations with counters that grow at stated rates, so that a
// table test can say "10 % stall, limit hit, 3 MiB left" and look at the level that follows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "policy/decide.h"

namespace kvpsi::test {

/// What the world does until further notice. Rates are per second.
struct World {
  double own_some = 0;  ///< stall shares
  double own_full = 0;
  double parent_some = 0;
  double system_some = 0;
  double limit_hits = 0;
  double scan_pages = 0;
  double refaults = 0;
  double major_faults = 0;
  double hints = 0;
  std::uint64_t limit_bytes = 1000 * kMiB;
  std::uint64_t usage_bytes = 500 * kMiB;  ///< without page cache
  std::uint64_t file_bytes = 100 * kMiB;   ///< page cache that nobody needs
  std::uint64_t own_anon_bytes = 200 * kMiB;
  std::uint64_t own_file_bytes = 0;
  std::uint64_t own_file_wanted_bytes = 0;
  std::optional<std::uint64_t> swap_free_bytes;
  double usage_growth = 0;  ///< bytes a second, of others
  double own_growth = 0;    ///< bytes a second, ours
  bool psi_present = true;
  PoolView kv{.kind = PoolKind::kv,
              .live_bytes = 100 * kMiB,
              .resident_bytes = 100 * kMiB,
              .trimmable_bytes = 90 * kMiB,
              .granule_bytes = 256 * kKiB};
  PoolView scratch{.kind = PoolKind::scratch};
  std::optional<PoolView> prompt_cache;
};

class Driver {
 public:
  explicit Driver(const PolicyConfig& policy = {}) : config(policy) {}

  PolicyConfig config;
  World world;
  PolicyState state;
  Outcomes outcomes;  ///< handed over with the next tick
  bool give_back_asked = false;
  bool paused = false;
  std::optional<std::uint64_t> kv_soft_max_bytes;
  std::uint64_t now_us = 50'000'000;
  std::vector<Decided> log;

  /// One tick after `dt_us`.
  const Decided& tick(std::uint64_t dt_us = 100'000) {
    now_us += dt_us;
    grow(static_cast<double>(dt_us) * 1e-6);
    last_observation = observe();
    log.push_back(decide(state, last_observation, config));
    state = log.back().state;
    outcomes.clear();
    give_back_asked = false;
    return log.back();
  }

  /// Ticks of 100 ms for that long; returns the last.
  const Decided& run(double seconds) {
    for (int i = 0; i < static_cast<int>(seconds * 10 + 0.5); ++i) tick();
    return log.back();
  }

  /// Answers every action of the last decision as done with all that was asked.
  void answer(double efficacy = 1) {
    for (const Action& action : log.back().decision.actions) {
      Outcome outcome{.decision_id = action.decision_id, .verb = action.verb, .pool = action.pool};
      outcome.status = Status::done;
      outcome.t_us = now_us + 1'000;
      const auto moved = static_cast<std::uint64_t>(static_cast<double>(action.bytes) * efficacy);
      if (action.verb == Verb::restore) {
        outcome.bytes_restored = moved;
        world.kv.live_bytes += moved;
        world.kv.spilled_bytes -= moved;
        world.kv.trimmed_bytes -= std::min(world.kv.trimmed_bytes, moved);
        move_resident(static_cast<std::int64_t>(moved));
      } else if (action.verb != Verb::release) {
        outcome.bytes_released = moved;
        if (action.verb != Verb::compact) world.kv.live_bytes -= action.bytes;
        (action.verb == Verb::trim    ? world.kv.trimmable_bytes
         : action.verb == Verb::spill ? world.kv.spillable_bytes
                                      : world.kv.compactable_bytes) -= action.bytes;
        if (action.verb == Verb::spill) world.kv.spilled_bytes += action.bytes;
        move_resident(-static_cast<std::int64_t>(moved));
      }
      outcomes.push_back(outcome);
    }
  }

  /// Answers the last action of that verb, nothing having moved.
  void answer_empty(Verb verb, Status status) {
    for (auto it = log.rbegin(); it != log.rend(); ++it) {
      for (const Action& action : it->decision.actions) {
        if (action.verb != verb) continue;
        outcomes.push_back(Outcome{.decision_id = action.decision_id,
                                   .verb = verb,
                                   .pool = action.pool,
                                   .status = status,
                                   .t_us = now_us});
        return;
      }
    }
  }

  /// Bytes of that verb in the last decision; 0 = not asked.
  std::uint64_t asked(Verb verb) const {
    for (const Action& action : log.back().decision.actions) {
      if (action.verb == verb && action.pool == PoolKind::kv) return action.bytes;
    }
    return 0;
  }

  /// How often that verb was asked of the KV pool since the log had `from` entries.
  std::size_t count(Verb verb, std::size_t from = 0) const {
    std::size_t count = 0;
    for (std::size_t i = from; i < log.size(); ++i) {
      for (const Action& action : log[i].decision.actions) {
        count += action.verb == verb && action.pool == PoolKind::kv;
      }
    }
    return count;
  }

  /// Trims asked since the log had `from` entries.
  std::size_t trims(std::size_t from = 0) const { return count(Verb::trim, from); }

  Observation last_observation;

 private:
  struct Counters {
    double own_some = 5e6, own_full = 2e6, parent_some = 7e6, system_some = 9e6, hits = 1000,
           scan = 5000, refaults = 100, faults = 300, hints = 0;
  };

  void move_resident(std::int64_t bytes) {
    const auto by = static_cast<std::uint64_t>(bytes);  // wraps as it should where it is negative
    world.kv.resident_bytes += by;
    world.usage_bytes += by;
    world.own_anon_bytes += by;
  }

  void grow(double seconds) {
    counters_.own_some += world.own_some * seconds * 1e6;
    counters_.own_full += world.own_full * seconds * 1e6;
    counters_.parent_some += world.parent_some * seconds * 1e6;
    counters_.system_some += world.system_some * seconds * 1e6;
    counters_.hits += world.limit_hits * seconds;
    counters_.scan += world.scan_pages * seconds;
    counters_.refaults += world.refaults * seconds;
    counters_.faults += world.major_faults * seconds;
    counters_.hints += world.hints * seconds;
    world.usage_bytes +=
        static_cast<std::uint64_t>((world.usage_growth + world.own_growth) * seconds);
    world.own_anon_bytes += static_cast<std::uint64_t>(world.own_growth * seconds);
  }

  Observation observe() const {
    Observation o;
    Sample& s = o.sample;
    s.t_us = now_us;
    const auto whole = [](double value) { return static_cast<std::uint64_t>(value + 0.5); };
    if (world.psi_present) {
      s.psi_own = PsiTotals{whole(counters_.own_some), whole(counters_.own_full)};
      s.psi_parent = PsiTotals{whole(counters_.parent_some), 1000};
      s.psi_system = PsiTotals{whole(counters_.system_some), 1000};
    }
    s.mem_total_bytes = 64 * kGiB;
    s.mem_available_bytes = 32 * kGiB;
    s.group_limit_bytes = world.limit_bytes;
    s.group_usage_bytes = world.usage_bytes + world.file_bytes;
    s.group_file_bytes = world.file_bytes;
    s.group_limit_hits_total = whole(counters_.hits);
    s.group_refault_pages_total = whole(counters_.refaults);
    s.system_scan_pages_total = whole(counters_.scan);
    s.own_anon_bytes = world.own_anon_bytes;
    s.own_file_bytes = world.own_file_bytes;
    s.own_file_wanted_bytes = world.own_file_wanted_bytes;
    s.swap_free_bytes = world.swap_free_bytes;
    s.own_major_faults_total = whole(counters_.faults);
    s.pressure_hints_total = whole(counters_.hints);
    o.pools.push_back(world.kv);
    o.pools.push_back(world.scratch);
    o.pools.push_back(PoolView{.kind = PoolKind::heap});
    if (world.prompt_cache) o.pools.push_back(*world.prompt_cache);
    o.outcomes = outcomes;
    o.give_back_asked = give_back_asked;
    o.paused = paused;
    o.kv_soft_max_bytes = kv_soft_max_bytes;
    return o;
  }

  Counters counters_;
};

}  // namespace kvpsi::test
