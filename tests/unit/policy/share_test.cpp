// SPDX-License-Identifier: MIT
// Several governed processes under one limit: each its own law, nothing shared but the memory. The
// model is a group at its limit whose members all see the same shortage at the same time.
#include "policy/share.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

#include "base/prng.h"
#include "policy/decide.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kGranule = 256 * kKiB;
constexpr std::uint64_t kTickUs = 100'000;

/// One governed process.
struct Member {
  std::uint64_t base_bytes = 0;  ///< anonymous, not ours to give
  std::uint64_t live_bytes = 0;
  std::uint64_t floor_bytes = 0;  ///< live KV that may not be dropped
  PolicyState state;
  Outcomes outcomes;
  Decision decision;
  std::uint64_t given_bytes = 0;

  std::uint64_t anon_bytes() const { return base_bytes + live_bytes; }
};

/// The group. It stalls while its headroom is below the lower reserve, as at a cliff.
class Pool {
 public:
  explicit Pool(std::vector<Member> with) : members(std::move(with)) {}

  std::vector<Member> members;
  std::uint64_t limit_bytes = 1000 * kMiB;
  std::uint64_t neighbour_bytes = 0;

  std::uint64_t usage_bytes() const {
    std::uint64_t sum = neighbour_bytes;
    for (const Member& member : members) sum += member.anon_bytes();
    return sum;
  }
  std::int64_t headroom_bytes() const {
    return static_cast<std::int64_t>(limit_bytes) - static_cast<std::int64_t>(usage_bytes());
  }
  std::uint64_t given_bytes() const {
    std::uint64_t sum = 0;
    for (const Member& member : members) sum += member.given_bytes;
    return sum;
  }
  bool has_given_all() const {
    return std::all_of(members.begin(), members.end(), [](const Member& member) {
      return member.live_bytes <= member.floor_bytes;
    });
  }
  bool is_short() const {
    return headroom_bytes() < static_cast<std::int64_t>(0.03 * static_cast<double>(limit_bytes));
  }

  Observation observe(const Member& me, bool knows_peers = true) const {
    Observation o;
    o.sample.t_us = now_us_;
    o.sample.psi_own = PsiTotals{some_us_, full_us_};
    o.sample.group_limit_bytes = limit_bytes;
    o.sample.group_usage_bytes = usage_bytes();
    o.sample.group_limit_hits_total = hits_;
    o.sample.own_anon_bytes = me.anon_bytes();
    if (knows_peers) {
      std::uint64_t others = 0;
      for (const Member& member : members) others += member.anon_bytes();
      o.sample.group_peers_anon_bytes = others - me.anon_bytes();
    }
    o.pools.push_back({.kind = PoolKind::kv,
                       .live_bytes = me.live_bytes,
                       .resident_bytes = me.live_bytes,
                       .trimmable_bytes = me.live_bytes - std::min(me.live_bytes, me.floor_bytes),
                       .granule_bytes = kGranule});
    o.outcomes = me.outcomes;
    return o;
  }

  /// All look at the same time, then all act; or each looks when the one before has acted.
  void tick(bool at_once = true) {
    now_us_ += kTickUs;
    if (is_short()) {
      some_us_ += kTickUs * 4 / 10;
      full_us_ += kTickUs * 3 / 10;
      hits_ += 10;
    }
    for (Member& member : members) {
      const Observation seen = observe(member);
      const Decided decided = decide(member.state, seen, config);
      member.state = decided.state;
      member.decision = decided.decision;
      if (!at_once) carry_out(member);
    }
    if (!at_once) return;
    for (Member& member : members) carry_out(member);
  }

  /// The need as one of them sees it who knows of no others, in the turn that comes next.
  std::uint64_t whole_need() const {
    Pool ahead = *this;
    ahead.now_us_ += kTickUs;
    ahead.some_us_ += kTickUs * 4 / 10;
    ahead.full_us_ += kTickUs * 3 / 10;
    ahead.hits_ += 10;
    const Observation alone = ahead.observe(ahead.members[0], false);
    return decide(ahead.members[0].state, alone, config).decision.need_bytes;
  }

  PolicyConfig config = [] {
    PolicyConfig made;
    made.trim_allowed = true;
    return made;
  }();

 private:
  void carry_out(Member& member) {
    member.outcomes.clear();
    for (const Action& action : member.decision.actions) {
      Outcome outcome{.decision_id = action.decision_id, .verb = action.verb, .pool = action.pool};
      outcome.t_us = now_us_ + 1'000;
      if (action.verb == Verb::trim) {
        outcome.status = Status::done;
        outcome.bytes_released = action.bytes;
        member.live_bytes -= action.bytes;
        member.given_bytes += action.bytes;
      }
      member.outcomes.push_back(outcome);
    }
  }

  std::uint64_t now_us_ = 50'000'000;
  std::uint64_t some_us_ = 1'000'000;
  std::uint64_t full_us_ = 500'000;
  std::uint64_t hits_ = 1000;
};

/// At rest for a while with `spare` of headroom, then a neighbour takes `taken`.
Pool make_squeeze(std::vector<Member> members, std::uint64_t missing_bytes) {
  Pool pool(std::move(members));
  pool.limit_bytes = pool.usage_bytes() + 400 * kMiB;
  for (int i = 0; i < 30; ++i) pool.tick();
  pool.neighbour_bytes = 400 * kMiB + missing_bytes;
  return pool;
}

Member make_member(std::uint64_t base_mib, std::uint64_t live_mib, std::uint64_t floor_mib = 0) {
  Member member;
  member.base_bytes = base_mib * kMiB;
  member.live_bytes = live_mib * kMiB;
  member.floor_bytes = floor_mib * kMiB;
  return member;
}

/// Runs until somebody has given something; returns the need of the turn in which that was.
std::uint64_t run_to_first_step(Pool& pool, bool at_once = true) {
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t need = pool.whole_need();
    pool.tick(at_once);
    if (pool.given_bytes() > 0) return need;
  }
  return 0;
}

TEST(Share, WithoutPeersItIsTheNeed) {
  EXPECT_EQ(share_need(123, 0, 50, PolicyState{}, PoolViews{}), 123u);
  EXPECT_EQ(share_need(0, 10, 50, PolicyState{}, PoolViews{}), 0u);
}

TEST(Share, IsInProportionAtLeastAGranuleAndDoublesWhenOthersDoNotGive) {
  PoolViews pools;
  pools.push_back({.kind = PoolKind::kv, .granule_bytes = 64});
  PolicyState state;
  EXPECT_EQ(share_need(1000, 300, 100, state, pools), 250u);
  EXPECT_EQ(share_need(1000, 99'900, 100, state, pools), 64u);
  EXPECT_EQ(share_need(30, 99'900, 100, state, pools), 30u) << "never more than the need";
  EXPECT_EQ(share_need(1000, 300, 0, state, pools), 64u);
  state.effective_steps = 1;
  EXPECT_EQ(share_need(1000, 300, 100, state, pools), 500u);
  state.effective_steps = 2;
  EXPECT_EQ(share_need(1000, 300, 100, state, pools), 1000u);
  state.effective_steps = UINT64_MAX;
  EXPECT_EQ(share_need(1000, UINT64_MAX, 1, state, pools), 1000u);
}

TEST(Share, PeersAreThoseWhoFeelTheSameShortage) {
  Sample sample;
  EXPECT_EQ(find_peers_bytes(Scope::group, sample), 0u);
  sample.peers_anon_bytes = 9;
  sample.group_peers_anon_bytes = 4;
  EXPECT_EQ(find_peers_bytes(Scope::group, sample), 4u);
  EXPECT_EQ(find_peers_bytes(Scope::system, sample), 9u);
  EXPECT_EQ(find_peers_bytes(Scope::none, sample), 0u);
}

/// One to five that can give all they have.
std::vector<Member> make_givers(Prng& random) {
  std::vector<Member> members(1 + random.below(5));
  for (Member& member : members) {
    member = make_member(random.below(60), 150 + random.below(400));
  }
  return members;
}

RC_GTEST_PROP(Share, TogetherTheFirstStepIsTheNeedOnce, ()) {
  Prng random(*rc::gen::arbitrary<std::uint64_t>());
  std::vector<Member> members = make_givers(random);
  const std::size_t count = members.size();
  Pool pool = make_squeeze(std::move(members), random.below(60) * kMiB);
  const std::uint64_t need = run_to_first_step(pool);
  RC_ASSERT(need > 0u);
  RC_ASSERT(pool.given_bytes() <= need + count * kGranule);
  RC_ASSERT(static_cast<double>(pool.given_bytes()) >= 0.9 * static_cast<double>(need));
  for (int i = 0; i < 100; ++i) pool.tick();
  RC_ASSERT(!pool.is_short());
  RC_ASSERT(pool.given_bytes() <= need + count * kGranule);
}

RC_GTEST_PROP(Share, OneAfterTheOtherTheyGiveNoMore, ()) {
  Prng random(*rc::gen::arbitrary<std::uint64_t>());
  std::vector<Member> members = make_givers(random);
  const std::size_t count = members.size();
  Pool pool = make_squeeze(std::move(members), random.below(150) * kMiB);
  const std::uint64_t need = run_to_first_step(pool, false);
  RC_ASSERT(need > 0u);
  RC_ASSERT(pool.given_bytes() <= need + count * kGranule);
  for (int i = 0; i < 20; ++i) pool.tick(false);
  RC_ASSERT(!pool.is_short() || pool.has_given_all());
  RC_ASSERT(pool.given_bytes() <= need * 5 / 4 + count * kGranule);
}

RC_GTEST_PROP(Share, ConvergesWhereSomeCannotGive, ()) {
  Prng random(*rc::gen::arbitrary<std::uint64_t>());
  const std::size_t count = 1 + random.below(5);
  const std::size_t giver = random.below(count);
  std::vector<Member> members;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t live = i == giver ? 500 + random.below(600) : 100 + random.below(800);
    const bool gives = i == giver || random.below(3) == 0;
    members.push_back(make_member(random.below(60), live, gives ? 0 : live));
  }
  Pool pool = make_squeeze(std::move(members), (100 + random.below(300)) * kMiB);
  const std::uint64_t need = run_to_first_step(pool);
  RC_ASSERT(need > 0u);
  RC_ASSERT(pool.given_bytes() <= need + count * kGranule);
  int ticks = 0;
  while (pool.is_short() && ticks < 300) {
    pool.tick();
    ++ticks;
  }
  RC_CLASSIFY(ticks == 0, "at once");
  RC_CLASSIFY(ticks > 10, "over 1 s");
  RC_ASSERT(ticks <= 20);
  RC_ASSERT(!pool.is_short());
  for (int i = 0; i < 100; ++i) pool.tick();
  RC_CLASSIFY(pool.given_bytes() > need + count * kGranule, "over one need");
  RC_ASSERT(pool.given_bytes() <= need * 3 / 2 + count * kGranule);
  for (const Member& member : pool.members) RC_ASSERT(member.live_bytes >= member.floor_bytes);
}

}  // namespace
}  // namespace kvpsi
