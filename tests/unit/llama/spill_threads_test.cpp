// SPDX-License-Identifier: MIT
// A governor on its own thread asks for everything while the engine decodes: what is lossless
// changes no bit of an answer, what is not loses no token. For ThreadSanitizer above all.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>

#include "support/memory_spill.h"
#include "walk.h"

namespace kvpsi {
namespace {

using namespace testing;
using test::MemorySpill;

/// Asks without a pause until it is told to stop.
class Governor {
 public:
  Governor(MemoryPool& pool, std::vector<Verb> verbs)
      : pool_(pool), verbs_(std::move(verbs)), thread_([this] { run(); }) {}
  ~Governor() { stop(); }
  Governor(const Governor&) = delete;
  Governor& operator=(const Governor&) = delete;

  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t asked() const { return asked_; }
  std::uint64_t ended() const { return ended_; }

 private:
  void run() {
    Prng prng(5);
    while (!stop_) {
      const Verb verb = verbs_[prng.below(verbs_.size())];
      const std::uint64_t bytes = prng.below(3) == 0 ? 0 : 1 + prng.below(200'000);
      const Outcome outcome = pool_.apply(action_of(verb, bytes, 1 + prng.below(500)));
      ended_ += outcome.status == Status::done || outcome.status == Status::more ? 1 : 0;
      if (prng.below(3) == 0) {
        for (const Outcome& late : drained(pool_)) ended_ += late.status == Status::done ? 1 : 0;
      }
      const PoolView view = pool_.view();
      EXPECT_LE(view.trimmed_bytes, view.spilled_bytes);
      ++asked_;
    }
  }

  MemoryPool& pool_;
  const std::vector<Verb> verbs_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> asked_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::thread thread_;
};

class ThreadsTest : public ::testing::TestWithParam<TinyKind> {};

TEST_P(ThreadsTest, lossless_actions_beside_the_engine_change_no_answer) {
  const TinyKind kind = GetParam();
  MemorySpill store;
  const Context stock = tiny_context(kind, false);
  const Context context = tiny_context(kind, true);
  const auto governed =
      GovernedContext::attach(tiny_model(kind.window), context.get(),
                              {.spill = &store, .spill_idle_us = 0, .spill_block_bytes = 20'000})
          .value();
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  Governor governor(*kv, {Verb::spill, Verb::spill, Verb::restore, Verb::release});
  Schedule schedule(kind, stock.get(), 77);
  std::string story;
  const std::uint64_t steps = env_or("KVPSI_STEPS", 400);
  for (std::uint64_t i = 0; i < steps || schedule.is_pending(); ++i) {
    const Call call = schedule.next();
    story += "\n  " + call.what;
    ASSERT_TRUE(call.run(stock.get()) == call.run(context.get())) << story;
  }
  governor.stop();
  std::printf("[ numbers  ] %s: %llu actions asked for beside %llu calls, %llu did something\n",
              kind.name, static_cast<unsigned long long>(governor.asked()),
              static_cast<unsigned long long>(steps),
              static_cast<unsigned long long>(governor.ended()));
  EXPECT_GT(governor.ended(), 0u);
  EXPECT_EQ(governed->measure().tokens_reevaluated + governed->measure().tokens_lost, 0u);
  EXPECT_EQ(store.bad_erases(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ThreadsTest,
                         ::testing::Values(kTinyUnified, kTinyStreams, kTinyWindow),
                         [](const auto& kind) { return std::string(kind.param.name); });

/// Asks the context for nothing: a governor that may trim at rest changes positions meanwhile.
std::int32_t decode_at(llama_context* context, std::span<const llama_token> tokens,
                       llama_seq_id seq, llama_pos position) {
  llama_batch batch = llama_batch_init(static_cast<std::int32_t>(tokens.size()), 0, 1);
  for (const llama_token token : tokens) {
    const auto i = batch.n_tokens++;
    batch.token[i] = token;
    batch.pos[i] = position++;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = seq;
    batch.logits[i] = 0;
  }
  const std::int32_t result = llama_decode(context, batch);
  llama_batch_free(batch);
  return result;
}

/// Nothing but growing and cutting, so that the tokens that should be there are simply known.
TEST(TrimThreadsTest, trimming_and_packing_beside_the_engine_lose_no_token) {
  MemorySpill store;
  const Context context = tiny_context(kTinyUnified, true);
  const auto governed =
      GovernedContext::attach(tiny_model(0), context.get(), options_of(store, 1)).value();
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  Prng prng(3);
  std::uint64_t asked = 0;
  std::uint64_t restored = 0;
  const std::uint64_t rounds = env_or("KVPSI_STEPS", 400) / 40;
  for (std::uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    Ledger ledger(context.get(), kTinyUnified.sequences);
    {
      Governor governor(*kv,
                        {Verb::trim, Verb::restore, Verb::compact, Verb::spill, Verb::release});
      for (int i = 0; i < 40; ++i) {
        const auto seq = static_cast<llama_seq_id>(prng.below(3));
        const llama_pos next = ledger.next(seq);
        if (next > 70) {
          const auto p0 = static_cast<llama_pos>(1 + prng.below(69));
          llama_memory_seq_rm(llama_get_memory(context.get()), seq, p0, -1);
          ledger.of(seq).erase(ledger.of(seq).lower_bound(p0), ledger.of(seq).end());
          continue;
        }
        const std::vector<llama_token> tokens(1 + prng.below(12), 1 + static_cast<int>(next));
        ASSERT_EQ(decode_at(context.get(), tokens, seq, next), 0);
        for (const llama_token token : tokens) ledger.of(seq)[ledger.next(seq)].token = token;
      }
      governor.stop();
      asked += governor.asked();
    }
    ASSERT_NO_FATAL_FAILURE(ledger.check(true));
    for (llama_seq_id seq = 0; seq < 3; ++seq) saved(context.get(), seq);
    ASSERT_NO_FATAL_FAILURE(ledger.check(true));
    restored = governed->measure().tokens_restored;
    llama_memory_clear(llama_get_memory(context.get()), round % 2 == 0);
  }
  std::printf("[ numbers  ] %llu actions asked for, %llu tokens restored\n",
              static_cast<unsigned long long>(asked), static_cast<unsigned long long>(restored));
  EXPECT_GT(restored, 0u);
  EXPECT_TRUE(governed->take_losses().empty());
  EXPECT_EQ(store.bad_erases(), 0u);
}

}  // namespace
}  // namespace kvpsi
