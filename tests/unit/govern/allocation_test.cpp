// SPDX-License-Identifier: MIT
// The governor works while memory is short, so a turn must not allocate. Every operator new of this
// executable is counted while a flag is up.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <new>

#include "govern/governor.h"
#include "support/drive.h"
#include "support/fake_machine.h"

namespace {

thread_local bool counting = false;
thread_local std::size_t allocations = 0;

void* counted(std::size_t bytes) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// Not inlined: the compiler would take malloc and operator delete, or new and free, for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes) { return counted(bytes); }
[[gnu::noinline]] void* operator new[](std::size_t bytes) { return counted(bytes); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace kvpsi {
namespace {

TEST(Allocation, TheCounterCounts) {
  counting = true;
  // A new-expression and its delete may be optimised away together; these calls may not.
  void* volatile memory = ::operator new(4);
  ::operator delete(memory);
  counting = false;
  EXPECT_EQ(allocations, 1u);
  allocations = 0;
}

/// Idle rows go and come back, spans too.
TEST(Allocation, SpillingAndRestoringAllocatesNothing) {
  test::Driver drive;
  drive.config.trim_allowed = true;
  drive.world.kv.spillable_bytes = 40 * kMiB;
  drive.world.kv.compactable_bytes = 15 * kMiB;
  drive.world.usage_bytes = drive.world.limit_bytes + 5 * kMiB;
  drive.world.own_some = drive.world.own_full = 0.4;
  drive.world.limit_hits = 30;
  std::size_t spills = 0, restores = 0;
  for (int i = 0; i < 400; ++i) {
    if (i == 50) {
      drive.world.own_some = drive.world.own_full = drive.world.limit_hits = 0;
      drive.world.usage_bytes = 400 * kMiB;
    }
    allocations = 0;
    drive.log.reserve(1000);
    drive.tick();
    counting = true;
    const Decided decided = decide(drive.state, drive.last_observation, drive.config);
    counting = false;
    EXPECT_EQ(allocations, 0u) << decided.decision.id;
    spills += drive.asked(Verb::spill) > 0;
    restores += drive.asked(Verb::restore) > 0;
    drive.answer();
  }
  EXPECT_GT(spills, 0u);
  EXPECT_GT(restores, 0u);
}

TEST(Allocation, DecidingAllocatesNothing) {
  test::Driver drive;
  drive.config.trim_allowed = true;
  drive.world.usage_bytes = drive.world.limit_bytes + 5 * kMiB;
  drive.world.own_some = drive.world.own_full = 0.4;
  drive.world.limit_hits = 30;
  drive.run(2);
  for (int i = 0; i < 50; ++i) {
    drive.tick();
    allocations = 0;
    counting = true;
    const Decided decided = decide(drive.state, drive.last_observation, drive.config);
    const std::uint64_t hash = state_hash(decided.state);
    counting = false;
    EXPECT_EQ(allocations, 0u);
    EXPECT_NE(hash, 0u);
  }
}

/// Owns no memory that grows.
struct PlainPool : MemoryPool {
  explicit PlainPool(PoolKind pool_kind) : kind_of_pool(pool_kind) {}
  PoolKind kind() const override { return kind_of_pool; }
  PoolView view() override {
    return PoolView{.kind = kind_of_pool,
                    .live_bytes = 60 * kMiB,
                    .resident_bytes = 64 * kMiB,
                    .releasable_bytes = 4 * kMiB,
                    .trimmable_bytes = 50 * kMiB};
  }
  Outcome apply(const Action& action) override {
    return Outcome{.decision_id = action.decision_id,
                   .verb = action.verb,
                   .pool = kind_of_pool,
                   .status = Status::done,
                   .bytes_released = 4096};
  }
  void drain(Outcomes&) override {}
  PoolKind kind_of_pool;
};

TEST(Allocation, ATurnOfTheGovernorAllocatesNothing) {
  test::MachineSettings settings;
  settings.limit_bytes = 150 * kMiB;
  test::FakeMachine machine(settings);
  PlainPool kv(PoolKind::kv), scratch(PoolKind::scratch);
  std::vector<MemoryPool*> pools = {&kv, &scratch};
  test::TickLog log;
  GovernorOptions options;
  options.policy.trim_allowed = true;
  Governor governor(options, machine, pools, machine, log);
  machine.set.decoding = false;
  std::size_t actions = 0;
  for (int i = 0; i < 100; ++i) {
    if (i == 50) governor.ask_give_back();
    allocations = 0;
    counting = true;
    governor.step();
    counting = false;
    EXPECT_EQ(allocations, 0u) << "in turn " << i;
    actions += log.ticks.back().decision.actions.size();
  }
  EXPECT_GE(actions, 5u) << "the turns must have done something";
}

TEST(Allocation, ALawThatRemembersItselfAllocatesNothingEither) {
  test::FakeMachine machine(test::MachineSettings{});
  PlainPool kv(PoolKind::kv);
  std::vector<MemoryPool*> pools = {&kv};
  test::TickLog log;
  GovernorOptions options;
  // Larger than what a std::function keeps in itself.
  options.law = [calls = std::array<std::uint64_t, 8>{}](
                    const PolicyState& state, const Observation&, const PolicyConfig&) mutable {
    Decided result;
    result.state = state;
    result.decision.id = ++calls[7];
    return result;
  };
  Governor governor(options, machine, pools, machine, log);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    allocations = 0;
    counting = true;
    governor.step();
    counting = false;
    EXPECT_EQ(allocations, 0u) << "in turn " << i;
    EXPECT_EQ(log.ticks.back().decision.id, i) << "the law remembers its turns";
  }
}

}  // namespace
}  // namespace kvpsi
