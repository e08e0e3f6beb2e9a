// SPDX-License-Identifier: MIT
// Several pools as one: sums, one outcome an action, members that come and go.
#include "govern/pool_group.h"

#include <gtest/gtest.h>

#include <deque>

namespace kvpsi {
namespace {

/// Gives what it has, at once or later.
class FakePool final : public MemoryPool {
 public:
  explicit FakePool(std::uint64_t has, bool waits = false) : bytes(has), queues(waits) {}

  PoolKind kind() const override { return PoolKind::kv; }
  PoolView view() override {
    PoolView view;
    view.live_bytes = view.resident_bytes = bytes;
    view.bytes_per_cell = 10;
    view.t_us = 5;
    return view;
  }
  Outcome apply(const Action& action) override {
    asked.push_back(action);
    Outcome outcome = answer(action);
    if (!queues) return outcome;
    later.push_back(outcome);
    outcome.status = Status::queued;
    outcome.bytes_released = 0;
    return outcome;
  }
  void drain(Outcomes& ended) override {
    for (const Outcome& outcome : later) ended.push_back(outcome);
    later.clear();
  }
  Outcome answer(const Action& action) {
    const std::uint64_t given = action.bytes == 0 ? bytes : std::min(bytes, action.bytes);
    bytes -= given;
    Outcome outcome{.decision_id = action.decision_id, .verb = action.verb};
    outcome.status = given > 0 ? Status::done : Status::nothing;
    outcome.bytes_released = given;
    outcome.duration_us = 3;
    return outcome;
  }

  std::uint64_t bytes;
  const bool queues;
  std::vector<Action> asked;
  std::deque<Outcome> later;
};

/// Another value in each field.
class FullPool final : public MemoryPool {
 public:
  PoolKind kind() const override { return PoolKind::kv; }
  PoolView view() override {
    PoolView view;
    std::uint64_t value = 100;
    visit_fields(
        [&value](const auto&, auto& field) {
          if constexpr (std::is_same_v<decltype(field), std::uint64_t&>) field = ++value;
        },
        view);
    return view;
  }
  Outcome apply(const Action&) override { return {}; }
  void drain(Outcomes&) override {}
};

Action spill(std::uint64_t bytes) {
  return {.decision_id = 7, .verb = Verb::spill, .bytes = bytes, .budget_us = 100};
}

std::vector<Outcome> drained(PoolGroup& group) {
  Outcomes ended;
  group.drain(ended);
  return {ended.begin(), ended.end()};
}

TEST(PoolGroup, IsEmptyWithoutMembers) {
  PoolGroup group(PoolKind::scratch);
  EXPECT_EQ(group.view().kind, PoolKind::scratch);
  EXPECT_EQ(group.view().resident_bytes, 0u);
  EXPECT_EQ(group.apply(spill(1)).status, Status::nothing);
  EXPECT_TRUE(drained(group).empty());
}

TEST(PoolGroup, AddsUpItsMembersAndAsksEachForWhatIsMissing) {
  FakePool small(30);
  FakePool large(200);
  PoolGroup group(PoolKind::kv);
  ASSERT_TRUE(group.add(small));
  ASSERT_TRUE(group.add(large));
  EXPECT_EQ(group.view().live_bytes, 230u);
  EXPECT_EQ(group.view().bytes_per_cell, 10u);
  const Outcome outcome = group.apply(spill(100));
  EXPECT_EQ(outcome.status, Status::done);
  EXPECT_EQ(outcome.bytes_released, 100u);
  EXPECT_EQ(outcome.decision_id, 7u);
  EXPECT_EQ(large.asked.front().bytes, 70u);
  EXPECT_EQ(large.asked.front().budget_us, 97u);
}

TEST(PoolGroup, LeavesNoFieldOut) {
  FullPool pool;
  PoolGroup group(PoolKind::kv);
  group.add(pool);
  EXPECT_EQ(group.view(), pool.view());
}

TEST(PoolGroup, ReleasesAllOfEveryMember) {
  FakePool one(30);
  FakePool other(20);
  PoolGroup group(PoolKind::kv);
  group.add(one);
  group.add(other);
  EXPECT_EQ(group.apply({.decision_id = 1, .verb = Verb::release}).bytes_released, 50u);
}

TEST(PoolGroup, TellsOfAQueuedActionOnceAndWhole) {
  FakePool now(30);
  FakePool then(50, /*waits=*/true);
  PoolGroup group(PoolKind::kv);
  group.add(now);
  group.add(then);
  EXPECT_EQ(group.apply(spill(100)).status, Status::queued);
  const auto ended = drained(group);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].status, Status::done);
  EXPECT_EQ(ended[0].bytes_released, 80u);
  EXPECT_EQ(ended[0].decision_id, 7u);
  EXPECT_TRUE(drained(group).empty());
}

TEST(PoolGroup, WaitsForNobodyWhoIsGone) {
  FakePool dying(50, /*waits=*/true);
  PoolGroup group(PoolKind::kv);
  group.add(dying);
  EXPECT_EQ(group.apply(spill(100)).status, Status::queued);
  group.remove(dying);
  const auto ended = drained(group);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].bytes_released, 0u);
  EXPECT_EQ(group.view().live_bytes, 0u);
}

TEST(PoolGroup, RefusesMoreThanItHasRoomFor) {
  std::deque<FakePool> pools;
  PoolGroup group(PoolKind::kv);
  for (std::size_t i = 0; i < PoolGroup::kMaxMembers; ++i) {
    EXPECT_TRUE(group.add(pools.emplace_back(1)));
  }
  EXPECT_FALSE(group.add(pools.emplace_back(1)));
  EXPECT_EQ(group.view().live_bytes, PoolGroup::kMaxMembers);
}

}  // namespace
}  // namespace kvpsi
