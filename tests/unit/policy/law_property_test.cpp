// SPDX-License-Identifier: MIT
// What holds for every input: steps never pass the floor, a larger need never gives a smaller step,
// equal inputs give equal results, and no counter value can break the law.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/prng.h"
#include "policy/decide.h"
#include "policy/rungs.h"

namespace kvpsi {
namespace {

/// Small numbers, large ones and the extremes, in about equal parts.
std::uint64_t any_number(Prng& random) {
  constexpr std::array<std::uint64_t, 6> kExtremes = {0,
                                                      1,
                                                      4096,
                                                      std::uint64_t{1} << 63,
                                                      std::numeric_limits<std::uint64_t>::max(),
                                                      0x7FFFFFFFFFFFF000};
  switch (random.below(4)) {
    case 0:
      return kExtremes[random.below(kExtremes.size())];
    case 1:
      return random.below(1000);
    case 2:
      return random.below(kGiB);
    default:
      return random.next();
  }
}

template <class T>
void maybe(Prng& random, std::optional<T>& value) {
  value.reset();
  if (random.below(4) != 0) value = any_number(random);
}

void maybe(Prng& random, std::optional<PsiTotals>& value) {
  value.reset();
  if (random.below(4) != 0) value = PsiTotals{any_number(random), any_number(random)};
}

struct Scramble {
  Prng& random;
  template <class T>
  void operator()(const Field&, std::optional<T>& value) const {
    maybe(random, value);
  }
  void operator()(const Field&, std::uint64_t& value) const { value = any_number(random); }
  void operator()(const Field&, std::int64_t& value) const {
    value = static_cast<std::int64_t>(any_number(random));
  }
  void operator()(const Field&, PoolKind& value) const {
    value = static_cast<PoolKind>(random.below(4));
  }
  void operator()(const Field&, Verb& value) const { value = static_cast<Verb>(random.below(5)); }
  void operator()(const Field&, Status& value) const {
    value = static_cast<Status>(random.below(5));
  }
};

Observation any_observation(Prng& random) {
  Observation o;
  visit_fields(Scramble{random}, o.sample);
  for (std::uint64_t i = random.below(7); i > 0; --i) {
    PoolView view;
    visit_fields(Scramble{random}, view);
    o.pools.push_back(view);
  }
  for (std::uint64_t i = random.below(17); i > 0; --i) {
    Outcome outcome;
    visit_fields(Scramble{random}, outcome);
    o.outcomes.push_back(outcome);
  }
  o.give_back_asked = random.below(5) == 0;
  o.paused = random.below(5) == 0;
  maybe(random, o.kv_soft_max_bytes);
  return o;
}

/// Mostly a plausible next observation, so that the law gets past its first tick too.
Observation next_observation(Prng& random, const Observation& before) {
  if (random.below(8) == 0) return any_observation(random);
  Observation o = before;
  Sample& s = o.sample;
  s.t_us += random.below(600'000);
  if (s.psi_own) s.psi_own->some_us_total += random.below(100'000);
  if (s.psi_own) s.psi_own->full_us_total += random.below(60'000);
  if (s.group_limit_hits_total) *s.group_limit_hits_total += random.below(100);
  if (s.group_usage_bytes) s.group_usage_bytes = random.below(2 * kGiB);
  o.outcomes.clear();
  return o;
}

PolicyConfig any_config(Prng& random) {
  PolicyConfig config;
  config.trim_allowed = random.below(4) != 0;
  config.release_allowed = random.below(4) != 0;
  config.kv_min_bytes = random.below(2) == 0 ? 0 : any_number(random);
  config.kv_max_bytes = random.below(2) == 0 ? 0 : any_number(random);
  if (random.below(4) == 0) {
    constexpr double kOdd[] = {std::numeric_limits<double>::quiet_NaN(), -1, 0, 1e300,
                               std::numeric_limits<double>::infinity()};
    config.group_reserve_high_share = kOdd[random.below(5)];
    config.horizon_s = kOdd[random.below(5)];
    config.high_some = kOdd[random.below(5)];
    config.futile_steps = any_number(random);
    config.futile_hold_max_us = any_number(random);
    config.fast_window_us = any_number(random);
  }
  return config;
}

/// A NaN is equal to itself here: what counts is that the same number came out.
bool same(const Signal& a, const Signal& b) {
  bool equal = true;
  Hash64 left, right;
  visit_fields([&left](const Field&, const auto& v) { left.add(v); }, a);
  visit_fields([&right](const Field&, const auto& v) { right.add(v); }, b);
  equal = left.value() == right.value();
  return equal;
}

RC_GTEST_PROP(Law, SurvivesAnythingAndIsDeterministic, (std::uint64_t seed)) {
  Prng random(seed);
  const PolicyConfig config = any_config(random);
  PolicyState state;
  Observation observation = any_observation(random);
  for (int tick = 0; tick < 60; ++tick) {
    const Decided first = decide(state, observation, config);
    const Decided second = decide(state, observation, config);
    RC_ASSERT(first.decision == second.decision);
    RC_ASSERT(same(first.signal, second.signal));
    RC_ASSERT(state_hash(first.state) == state_hash(second.state));
    RC_ASSERT(first.decision.id == state.decisions + 1);
    RC_ASSERT(first.decision.wake_after_us > 0 && first.decision.wake_after_us <= 500'000);
    RC_ASSERT(first.signal.some_fast >= 0 && first.signal.some_fast <= 1);
    RC_ASSERT(first.signal.full_fast >= 0 && first.signal.full_fast <= 1);
    for (const Action& action : first.decision.actions) {
      RC_ASSERT(config.trim_allowed || action.verb != Verb::trim);
      RC_ASSERT(config.release_allowed || action.verb != Verb::release);
      RC_ASSERT(!observation.paused || first.decision.reason == Reason::asked);
      RC_ASSERT((action.bytes == 0) == (action.verb == Verb::release));
      if (action.verb == Verb::release) continue;
      RC_ASSERT(action.pool == PoolKind::kv);
      RC_ASSERT(config.release_allowed || action.verb == Verb::trim ||
                action.verb == Verb::restore);
      const PoolView* kv = find_pool(observation.pools, PoolKind::kv);
      RC_ASSERT(kv != nullptr);
      if (action.verb == Verb::compact) RC_ASSERT(action.bytes <= kv->compactable_bytes);
      if (action.verb == Verb::restore) {
        RC_ASSERT(first.decision.reason == Reason::restore);
        RC_ASSERT(first.decision.actions.size() == 1u);
        RC_ASSERT(action.bytes <= kv->spilled_bytes);
      }
      if (action.verb != Verb::trim && action.verb != Verb::spill) continue;
      const std::uint64_t floor = config.kv_max_bytes == 0
                                      ? config.kv_min_bytes
                                      : std::min(config.kv_min_bytes, config.kv_max_bytes);
      const bool trims = action.verb == Verb::trim;
      RC_ASSERT(action.bytes <= (trims ? kv->trimmable_bytes : kv->spillable_bytes));
      RC_ASSERT(action.bytes <= kv->live_bytes && kv->live_bytes - action.bytes >= floor);
    }
    state = first.state;
    observation = next_observation(random, observation);
  }
}

RC_GTEST_PROP(Law, MoreNeedNeverGivesASmallerStep, (std::uint64_t seed)) {
  Prng random(seed);
  PoolView kv;
  kv.kind = PoolKind::kv;
  kv.granule_bytes = any_number(random);
  const std::uint64_t most = any_number(random);
  std::uint64_t need = any_number(random), more = any_number(random);
  if (more < need) std::swap(need, more);
  RC_ASSERT(size_step(more, kv, most) >= size_step(need, kv, most));
  RC_ASSERT(size_step(need, kv, most) >= std::min(need, most));
  RC_ASSERT(size_step(need, kv, most) <= most);
}

RC_GTEST_PROP(Law, MissingMoreMemoryNeverGivesASmallerStep, ()) {
  const auto missing = *rc::gen::inRange<std::uint64_t>(0, 60 * kMiB);
  const auto extra = *rc::gen::inRange<std::uint64_t>(0, 60 * kMiB);
  const auto step_for = [](std::uint64_t bytes) {
    PolicyConfig config;
    config.trim_allowed = true;
    Observation o;
    o.sample.t_us = 1'000'000;
    o.sample.psi_own = PsiTotals{};
    o.sample.group_limit_bytes = 400 * kMiB;
    o.sample.group_usage_bytes = 400 * kMiB + bytes;
    o.sample.group_limit_hits_total = 1;
    o.pools.push_back(PoolView{.kind = PoolKind::kv,
                               .live_bytes = 500 * kMiB,
                               .resident_bytes = 500 * kMiB,
                               .trimmable_bytes = 500 * kMiB});
    PolicyState state = decide(PolicyState{}, o, config).state;
    o.sample.t_us += 100'000;
    o.sample.psi_own = PsiTotals{60'000, 0};
    o.sample.group_limit_hits_total = 20;
    const Decision decision = decide(state, o, config).decision;
    std::uint64_t step = 0;
    for (const Action& action : decision.actions) step += action.bytes;
    return step;
  };
  RC_ASSERT(step_for(missing) > 0u);
  RC_ASSERT(step_for(missing + extra) >= step_for(missing));
}

TEST(StateHash, ChangesWithEveryPartOfTheState) {
  const std::uint64_t base = state_hash(PolicyState{});
  const auto differs = [base](auto change) {
    PolicyState state;
    change(state);
    return state_hash(state) != base;
  };
  using S = PolicyState;
  EXPECT_TRUE(differs([](S& s) { s.decisions = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.history_digest = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.history.push(Point{}); }));
  EXPECT_TRUE(differs([](S& s) { s.previous.refault_pages = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.previous.scope = Scope::group; }));
  EXPECT_TRUE(differs([](S& s) { s.has_previous = true; }));
  EXPECT_TRUE(differs([](S& s) { s.level = Level::high; }));
  EXPECT_TRUE(differs([](S& s) { s.quiet_since_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.sign_seen = true; }));
  EXPECT_TRUE(differs([](S& s) { s.sign_since_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.last_sign_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.last_stall_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.unseen_bytes = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.releases[2].decision_id = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.trim.bytes = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.again_pools = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.trim_again = true; }));
  EXPECT_TRUE(differs([](S& s) { s.step_end_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.step_was_trim = true; }));
  EXPECT_TRUE(differs([](S& s) { s.step_asked_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.trim_asked_id = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.trim_asked_bytes = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.trim_for_need = true; }));
  EXPECT_TRUE(differs([](S& s) { s.efficacy = 0.5; }));
  EXPECT_TRUE(differs([](S& s) { s.episode_some = 0.5; }));
  EXPECT_TRUE(differs([](S& s) { s.effective_steps = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.ineffective_steps = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.held_at_steps = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.futile_until_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.futile_hold_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.last_tidy_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.effective_id = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.offered_bytes = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.restored_us = 1; }));
  EXPECT_TRUE(differs([](S& s) { s.restore_undone_us = 1; }));
  for (Effort PolicyState::* effort : {&S::spill, &S::compact, &S::restore}) {
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).in_flight.decision_id = 1; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).asked_id = 1; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).asked_bytes = 1; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).asked_us = 1; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).for_need = true; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).is_part = true; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).bytes_per_s = 1; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).again = true; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).done = true; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).hold_us = 1; }));
    EXPECT_TRUE(differs([effort](S& s) { (s.*effort).hold_until_us = 1; }));
  }
}

TEST(ConfigHash, NamesEveryField) {
  const PolicyConfig standard;
  std::size_t fields = 0;
  visit_fields([&fields](const Field&, const auto&) { ++fields; }, standard);
  for (std::size_t changed = 0; changed < fields; ++changed) {
    PolicyConfig config;
    std::size_t at = 0;
    visit_fields(
        [&](const Field&, auto& value) {
          if (at++ != changed) return;
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, bool>) {
            value = !value;
          } else {
            value = value + 1;
          }
        },
        config);
    EXPECT_NE(config.hash(), standard.hash()) << "field " << changed;
  }
}

}  // namespace
}  // namespace kvpsi
