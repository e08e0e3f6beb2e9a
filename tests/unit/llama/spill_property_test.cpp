// SPDX-License-Identifier: MIT
// Rows that go to the spill file and come back in place change nothing: a context whose rows are
// paged out and restored at random moments answers every call as a stock one does, bit for bit, for
// every kind of cache; and no page stays in memory without need. KVPSI_SCHEDULES says how many
// random schedules a kind, KVPSI_SEED where they start.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/bytes.h"
#include "schedule.h"

namespace kvpsi {
namespace {

using namespace testing;

constexpr int kSteps = 40;

struct Twins {
  Twins(const TinyKind& kind, SpillStore& store, std::uint64_t block_bytes)
      : stock(tiny_context(kind, false)), context(tiny_context(kind, true)) {
    if (!stock || !context) return;
    auto made = GovernedContext::attach(
        tiny_model(kind.window), context.get(),
        {.spill = &store, .spill_idle_us = 0, .spill_block_bytes = block_bytes});
    if (made) governed = std::move(*made);
    if (governed) kv = pool_of(*governed, PoolKind::kv);
  }

  Context stock;
  Context context;
  std::unique_ptr<GovernedContext> governed;
  MemoryPool* kv = nullptr;
};

/// Everything that is not needed has left, and the arithmetic knows it.
void expect_released(Twins& twins) {
  const Outcome outcome = twins.kv->apply(action_of(Verb::release, 0, 1'000'000));
  if (outcome.status == Status::more) return;  // a copy is pending
  ASSERT_EQ(resident_without_need(twins.context.get()), 0u);
  // Where nothing was released, as in one of two caches, nothing was measured.
  const bool is_pair = find_attached(twins.context.get())->kv()->parts().size() > 1;
  if (is_pair || outcome.status == Status::nothing) return;
  EXPECT_EQ(twins.kv->view().resident_bytes, twins.governed->measure().kv_resident_bytes);
}

/// One thing a governor may do between two calls.
std::string govern(Twins& twins, Prng& prng) {
  const std::uint64_t dice = prng.below(12);
  const std::uint64_t bytes = prng.below(3) == 0 ? std::uint64_t{1} << 30 : 1 + prng.below(150'000);
  const Verb verb = dice < 7 ? Verb::spill : Verb::restore;
  if (dice >= 10) return "";
  if (dice == 9) {
    expect_released(twins);
    return " release";
  }
  const std::uint64_t budget_us = prng.below(4) == 0 ? 1 : 20'000;
  const bool leaves = prng.below(3) == 0;
  const Action action = action_of(verb, bytes, budget_us);
  const Outcome outcome =
      leaves ? leave_request(twins.context.get(), *twins.kv, action) : twins.kv->apply(action);
  EXPECT_NE(outcome.errno_value, EIO);
  if (prng.below(4) == 0) drained(*twins.kv);
  return (leaves ? " later " : " ") + std::string(name(verb)) + " " + std::to_string(bytes);
}

struct Totals {
  std::uint64_t decodes_spilled = 0;
  std::uint64_t bytes_restored = 0;
};

void run_schedule(const TinyKind& kind, SpillStore& store, std::uint64_t seed, Totals& totals) {
  Twins twins(kind, store, block_bytes_of(seed));
  ASSERT_TRUE(twins.kv != nullptr);
  Schedule schedule(kind, twins.stock.get(), seed);
  Prng moments(seed ^ 0x5eed);
  std::string story;
  for (int step = 0; step < kSteps || schedule.is_pending(); ++step) {
    const Call call = schedule.next();
    story += "\n  " + call.what;
    const std::string expected = call.run(twins.stock.get());
    const std::string answer = call.run(twins.context.get());
    const ContextMemory memory = twins.governed->measure();
    ASSERT_EQ(memory.tokens_lost + memory.tokens_reevaluated, 0u) << "seed " << seed << story;
    ASSERT_TRUE(answer == expected) << "seed " << seed << story;
    for (llama_seq_id s = 0; s < static_cast<llama_seq_id>(kind.sequences); ++s) {
      ASSERT_EQ(llama_memory_seq_pos_max(llama_get_memory(twins.stock.get()), s),
                llama_memory_seq_pos_max(llama_get_memory(twins.context.get()), s))
          << "seed " << seed << story;
    }
    const std::string done = govern(twins, moments);
    story += done;
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed << story;
    totals.decodes_spilled += twins.kv->view().spilled_bytes > 0 ? 1 : 0;
  }
  for (llama_seq_id s = 0; s < static_cast<llama_seq_id>(kind.sequences); ++s) {
    ASSERT_TRUE(saved(twins.stock.get(), s) == saved(twins.context.get(), s))
        << "seed " << seed << story;
  }
  EXPECT_TRUE(twins.governed->take_losses().empty());
  const ContextMemory memory = twins.governed->measure();
  EXPECT_EQ(memory.tokens_lost + memory.tokens_reevaluated, 0u);
  totals.bytes_restored += memory.bytes_restored;
}

class SpillPropertyTest : public ::testing::TestWithParam<TinyKind> {};

TEST_P(SpillPropertyTest, answers_are_bit_equal_to_those_of_a_stock_context) {
  ASSERT_TRUE(tiny_model(GetParam().window) != nullptr);
  KVPSI_LONG_WALK();
  const auto store = open_spill_file();
  ASSERT_TRUE(store) << describe(store.error());
  const std::uint64_t seed = env_or("KVPSI_SEED", 20250301);
  const std::uint64_t schedules = env_or("KVPSI_SCHEDULES", 80);
  Totals totals;
  for (std::uint64_t i = 0; i < schedules && !HasFailure(); ++i) {
    run_schedule(GetParam(), **store, seed + i, totals);
  }
  std::printf("[ numbers  ] %s: %llu schedules, %llu steps with rows out, %.1f MiB restored\n",
              GetParam().name, static_cast<unsigned long long>(schedules),
              static_cast<unsigned long long>(totals.decodes_spilled),
              to_mib(totals.bytes_restored));
  EXPECT_GT(totals.bytes_restored, schedules * 10'000);
  EXPECT_EQ((*store)->use().held_bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SpillPropertyTest, ::testing::ValuesIn(kTinyKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace kvpsi
