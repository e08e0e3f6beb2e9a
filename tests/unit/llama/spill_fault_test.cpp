// SPDX-License-Identifier: MIT
// Disks that are full, slow, broken or lie: what was to leave stays, what does not come back is
// evaluated anew or lost by name, nothing is loaded that does not verify, and nobody waits for a
// disk that a decode does not depend on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/memory_spill.h"
#include "support/spill_disk.h"
#include "walk.h"

namespace kvpsi {
namespace {

using namespace testing;
using test::FaultyIo;
using test::MemorySpill;

constexpr std::uint64_t kAll = std::uint64_t{1} << 40;

GovernOptions lossless(SpillStore& store) { return {.spill = &store, .spill_idle_us = 0}; }

GovernOptions trimming(SpillStore& store) {
  return {.trim = TrimMode::last_resort,
          .keep = 4,
          .tail = 8,
          .min_prune = 4,
          .trim_at_rest = true,
          .spill = &store,
          .spill_idle_us = 0};
}

/// A stock context and a governed one that are told the same.
class Pair {
 public:
  Pair(const TinyKind& kind, const GovernOptions& options)
      : kind_(kind), stock(tiny_context(kind, false)), context(tiny_context(kind, true)) {
    governed = GovernedContext::attach(tiny_model(kind.window), context.get(), options).value();
    kv = pool_of(*governed, PoolKind::kv);
  }

  void decode_both(std::size_t count, llama_seq_id seq) {
    while (count > 0) {
      std::vector<llama_token> tokens(std::min<std::size_t>(count, 24));
      for (llama_token& token : tokens) token = static_cast<llama_token>(1 + prng_.below(255));
      ASSERT_EQ(testing::decode(stock.get(), tokens, seq), 0);
      ASSERT_EQ(testing::decode(context.get(), tokens, seq), 0);
      count -= tokens.size();
    }
  }

  /// The largest difference of a logit of the last decode.
  float distance() const {
    const auto a = logits_of(stock.get(), tiny_model(kind_.window));
    const auto b = logits_of(context.get(), tiny_model(kind_.window));
    float most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
    return most;
  }
  bool is_equal() const { return distance() == 0; }

  /// Carries the action out over as many calls as it takes.
  Outcome act(Verb verb, std::uint64_t bytes = kAll) {
    Outcome outcome;
    do {
      outcome = kv->apply(action_of(verb, bytes));
    } while (outcome.status == Status::more);
    return outcome;
  }

  ContextMemory memory() { return governed->measure(); }
  llama_pos last(llama_seq_id seq) const {
    return llama_memory_seq_pos_max(llama_get_memory(context.get()), seq);
  }

  const TinyKind kind_;
  Context stock;
  Context context;
  std::unique_ptr<GovernedContext> governed;
  MemoryPool* kv = nullptr;

 private:
  Prng prng_{11};
};

/// Logits of the tiny models lie within some units of 0; batches of another size alone move them
/// by up to this.
constexpr float kClose = 0.05F;

enum class Damage { corrupt, truncated, unreadable };

void damage(SpillFile& file, FaultyIo& io, Damage how) {
  switch (how) {
    case Damage::corrupt: {
      const std::string noise(64 * 1024, '\x5a');
      for (int i = 0; i < 16; ++i) {
        ASSERT_GT(::pwrite(file.fd(), noise.data(), 4096, i * 4096), 0);
      }
      break;
    }
    case Damage::truncated:
      ASSERT_EQ(::ftruncate(file.fd(), 4096), 0);
      break;
    case Damage::unreadable:
      io.rule = [](FaultyIo::Call call, std::size_t) {
        return call == FaultyIo::Call::read ? std::optional<long>(-EIO) : std::nullopt;
      };
      break;
  }
}

class DamageTest : public ::testing::TestWithParam<std::tuple<TinyKind, Damage>> {};

/// A file whose first bytes can be overwritten through its own descriptor needs aligned buffers.
Result<std::unique_ptr<SpillFile>> open_plain(FaultyIo& io) {
  auto file = open_spill_file(1 << 30, io);
  if (file) ::fcntl((*file)->fd(), F_SETFL, ::fcntl((*file)->fd(), F_GETFL) & ~O_DIRECT);
  return file;
}

TEST_P(DamageTest, rows_paged_out_are_evaluated_anew) {
  const auto& [kind, how] = GetParam();
  FaultyIo io;
  const auto store = open_plain(io);
  ASSERT_TRUE(store) << describe(store.error());
  Pair pair(kind, lossless(**store));
  pair.decode_both(40, 0);
  pair.decode_both(30, 1);
  ASSERT_EQ(pair.act(Verb::spill).status, Status::done);
  ASSERT_GT(pair.memory().kv_spilled_bytes, 0u);
  damage(**store, io, how);
  pair.decode_both(5, 0);
  EXPECT_LT(pair.distance(), kClose);
  pair.decode_both(5, 1);
  EXPECT_LT(pair.distance(), kClose);
  EXPECT_GE(pair.memory().tokens_reevaluated, 40u);
  EXPECT_EQ(pair.memory().tokens_lost, 0u);
  EXPECT_TRUE(pair.governed->take_losses().empty());
  EXPECT_GE((*store)->use().lost_blocks_total, 1u);
  pair.act(Verb::release);
  EXPECT_EQ(resident_without_need(pair.context.get()), 0u);
}

std::string name_of_case(const ::testing::TestParamInfo<std::tuple<TinyKind, Damage>>& info) {
  static constexpr const char* kNames[] = {"corrupt", "truncated", "unreadable"};
  const auto& [kind, how] = info.param;
  return std::string(kind.name) + "_" + kNames[static_cast<int>(how)];
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, DamageTest,
    ::testing::Combine(::testing::Values(kTinyUnified, kTinyStreams, kTinyWindow),
                       ::testing::Values(Damage::corrupt, Damage::truncated, Damage::unreadable)),
    name_of_case);

TEST(SpillFaultTest, trimmed_tokens_that_do_not_come_back_are_evaluated_anew) {
  MemorySpill store;
  Pair pair(kTinyUnified, trimming(store));
  pair.decode_both(120, 0);
  pair.act(Verb::trim);
  const std::uint64_t trimmed = pair.memory().tokens_trimmed;
  ASSERT_GT(trimmed, 80u);
  store.turn({.damages = true});
  const Outcome outcome = pair.act(Verb::restore);
  EXPECT_EQ(outcome.status, Status::failed);
  EXPECT_EQ(outcome.errno_value, EIO);
  pair.decode_both(3, 0);
  EXPECT_LT(pair.distance(), kClose);
  const ContextMemory memory = pair.memory();
  EXPECT_EQ(memory.tokens_reevaluated, trimmed);
  EXPECT_EQ(memory.tokens_restored + memory.tokens_lost + memory.kv_trimmed_bytes, 0u);
  EXPECT_EQ(pair.last(0), 122);
  EXPECT_EQ(store.use().held_bytes, 0u);
  EXPECT_EQ(store.bad_erases(), 0u);
}

TEST(SpillFaultTest, lost_tokens_that_the_host_removes_do_not_come_back) {
  MemorySpill store;
  Pair pair(kTinyUnified, trimming(store));
  pair.decode_both(120, 0);
  pair.act(Verb::trim);
  store.turn({.damages = true});
  EXPECT_EQ(pair.act(Verb::restore).status, Status::failed);
  for (llama_context* const context : {pair.stock.get(), pair.context.get()}) {
    llama_memory_seq_rm(llama_get_memory(context), 0, 60, -1);
  }
  EXPECT_EQ(pair.last(0), 59);
  pair.decode_both(3, 0);
  EXPECT_LT(pair.distance(), kClose);
  EXPECT_EQ(pair.last(0), 62);
  EXPECT_EQ(pair.memory().tokens_lost, 0u);
}

TEST(SpillFaultTest, a_lost_sequence_is_evaluated_over_rows_that_are_back) {
  MemorySpill store;
  GovernOptions options = lossless(store);
  options.spill_block_bytes = 16 * 1024;  // a dozen tokens
  Pair pair(kTinyUnified, options);
  pair.decode_both(60, 0);
  pair.decode_both(30, 1);
  pair.act(Verb::spill);
  store.turn({.damages = true});
  pair.kv->apply(action_of(Verb::restore, 1));  // one block of either sequence
  pair.act(Verb::restore, 1);
  store.turn({});
  pair.decode_both(2, 1);
  EXPECT_LT(pair.distance(), kClose);
  pair.decode_both(2, 0);
  EXPECT_LT(pair.distance(), kClose);
  EXPECT_GT(pair.memory().tokens_reevaluated, 0u);
  EXPECT_EQ(pair.memory().tokens_lost, 0u);
}

TEST(SpillFaultTest, tokens_that_nobody_knows_are_lost_by_name) {
  MemorySpill store;
  Pair pair(kTinyUnified, lossless(store));
  pair.decode_both(40, 0);
  for (llama_context* const context : {pair.stock.get(), pair.context.get()}) {
    const std::string state = saved(context, 0);
    llama_state_seq_set_data(context, reinterpret_cast<const std::uint8_t*>(state.data()),
                             state.size(), 1);
    llama_memory_seq_rm(llama_get_memory(context), 0, -1, -1);
  }
  pair.act(Verb::spill);
  store.turn({.damages = true});
  pair.decode_both(2, 1);  // goes on all the same
  EXPECT_EQ(pair.last(1), 41);
  EXPECT_EQ(pair.memory().tokens_lost, 40u);
  EXPECT_EQ(pair.memory().tokens_reevaluated, 0u);
  const auto losses = pair.governed->take_losses();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_NE(losses[0].find("sequence 1 lost 40 tokens"), std::string::npos) << losses[0];
  EXPECT_TRUE(pair.governed->take_losses().empty());
}

TEST(SpillFaultTest, a_budget_is_kept_and_what_does_not_fit_stays) {
  MemorySpill store;
  store.turn({.budget_bytes = 40'000});
  GovernOptions options = lossless(store);
  options.spill_block_bytes = 16 * 1024;
  Pair pair(kTinyUnified, options);
  pair.decode_both(60, 0);
  pair.decode_both(60, 1);
  EXPECT_LE(pair.kv->view().spillable_bytes, 40'000u);
  const Outcome outcome = pair.act(Verb::spill);
  EXPECT_LE(store.use().held_bytes, 40'000u);
  EXPECT_GT(store.use().held_bytes, 20'000u);
  EXPECT_NE(outcome.status, Status::more);
  pair.decode_both(3, 0);
  EXPECT_TRUE(pair.is_equal());
  pair.decode_both(3, 1);
  EXPECT_TRUE(pair.is_equal());
}

TEST(SpillFaultTest, the_engine_does_not_wait_for_a_slow_disk) {
  MemorySpill store;
  Pair pair(kTinyUnified, trimming(store));
  pair.decode_both(60, 0);
  for (const Verb verb : {Verb::trim, Verb::spill, Verb::restore}) {
    store.hold();
    const std::uint64_t before = store.calls_begun();
    const Outcome outcome = pair.kv->apply(action_of(verb, kAll));
    EXPECT_EQ(outcome.status, Status::more) << name(verb);
    EXPECT_EQ(outcome.bytes_spilled + outcome.bytes_restored, 0u);
    EXPECT_LE(store.calls_begun(), before + 1);  // and asks for no more meanwhile
    store.let_go();
    pair.act(verb);
  }
  EXPECT_EQ(pair.memory().kv_spilled_bytes, 0u);
  EXPECT_EQ(pair.memory().tokens_restored, pair.memory().tokens_trimmed);
}

TEST(SpillFaultTest, a_decode_waits_for_the_rest_of_a_sequence_half_restored) {
  MemorySpill store;
  GovernOptions options = lossless(store);
  options.spill_block_bytes = 16 * 1024;
  Pair pair(kTinyUnified, options);
  pair.decode_both(60, 0);
  pair.decode_both(60, 1);
  pair.act(Verb::spill);
  store.hold();
  EXPECT_EQ(pair.kv->apply(action_of(Verb::restore, 100'000, 1)).status, Status::more);
  store.turn({.slow_us = 10'000});
  store.let_go();
  pair.decode_both(1, 0);
  EXPECT_TRUE(pair.is_equal());
  pair.decode_both(1, 1);
  EXPECT_TRUE(pair.is_equal());
}

TEST(SpillFaultTest, a_restore_gives_way_to_pressure) {
  MemorySpill store;
  GovernOptions options = lossless(store);
  options.spill_block_bytes = 16 * 1024;
  Pair pair(kTinyUnified, options);
  pair.decode_both(60, 0);
  pair.decode_both(60, 1);
  pair.act(Verb::spill);
  Action restore = action_of(Verb::restore, kAll);
  restore.decision_id = 7;
  leave_request(pair.context.get(), *pair.kv, restore);
  leave_request(pair.context.get(), *pair.kv, action_of(Verb::spill, kAll));
  pair.decode_both(1, 0);
  EXPECT_TRUE(pair.is_equal());
  std::vector<Outcome> ended = drained(*pair.kv);
  ASSERT_FALSE(ended.empty());
  EXPECT_EQ(ended[0].decision_id, 7u);  // over, and nothing has come back for it
  EXPECT_EQ(ended[0].bytes_restored, 0u);
  while (ended.size() < 2) {
    for (const Outcome& outcome : drained(*pair.kv)) ended.push_back(outcome);
  }
  pair.decode_both(1, 1);
  EXPECT_TRUE(pair.is_equal());
}

/// Leaves a transfer of this kind on its way.
void start_transfer(Pair& pair, MemorySpill& store, Verb verb) {
  if (verb == Verb::restore) {
    pair.act(Verb::trim);
    pair.act(Verb::spill);
  }
  store.hold();
  EXPECT_EQ(pair.kv->apply(action_of(verb, kAll, 1)).status, Status::more);
  store.turn({.slow_us = 20'000});
  store.let_go();
}

TEST(SpillFaultTest, a_context_may_be_freed_while_rows_are_on_their_way) {
  for (const Verb last : {Verb::spill, Verb::restore, Verb::trim}) {
    MemorySpill store;
    {
      Pair pair(kTinyUnified, trimming(store));
      pair.decode_both(60, 0);
      start_transfer(pair, store, last);
      pair.context.reset();
      EXPECT_EQ(pair.kv->apply(action_of(Verb::spill, kAll)).status, Status::nothing);
    }
    EXPECT_EQ(store.use().held_bytes, 0u) << name(last);
    EXPECT_EQ(store.bad_erases(), 0u);
  }
}

TEST(SpillFaultTest, a_context_that_outlives_its_governor_is_whole) {
  for (const Verb last : {Verb::spill, Verb::restore, Verb::trim}) {
    MemorySpill store;
    Pair pair(kTinyUnified, trimming(store));
    pair.decode_both(60, 0);
    pair.decode_both(40, 1);
    start_transfer(pair, store, last);
    pair.governed.reset();
    EXPECT_EQ(store.use().held_bytes, 0u) << name(last);
    EXPECT_EQ(store.bad_erases(), 0u);
    for (const llama_seq_id seq : {0, 1}) {
      pair.decode_both(3, seq);
      EXPECT_LT(pair.distance(), kClose) << name(last);
      const auto& cells = cache_of(pair.context.get()).get_cells(seq).seq_pos_get(seq);
      EXPECT_EQ(cells.size(), seq == 0 ? 63u : 43u);
    }
  }
}

TEST(SpillFaultTest, a_row_longer_than_a_block_is_not_spilled) {
  MemorySpill store;
  GovernOptions options = lossless(store);
  options.spill_block_bytes = SpillStore::kMaxBlockBytes + 1;
  Pair pair(kTinyUnified, options);
  pair.decode_both(20, 0);
  const Outcome outcome = pair.kv->apply(action_of(Verb::spill, kAll));
  EXPECT_EQ(outcome.status, Status::failed);
  EXPECT_EQ(outcome.errno_value, ENOTSUP);
  ASSERT_EQ(pair.governed->take_losses().size(), 1u);
}

}  // namespace
}  // namespace kvpsi
