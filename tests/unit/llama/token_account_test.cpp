// SPDX-License-Identifier: MIT
// The books of tokens that left a running context: every one is back, on disk or lost by name, by
// sequence, and a loss costs no more than what was lost.
#include <gtest/gtest.h>

#include "support/memory_spill.h"
#include "tiny_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;
using test::MemorySpill;

constexpr std::uint64_t kAll = std::uint64_t{1} << 40;

class TokenAccountTest : public ::testing::Test {
 protected:
  TokenAccountTest() {
    const GovernOptions options{.trim = TrimMode::last_resort,
                                .keep = 4,
                                .tail = 8,
                                .min_prune = 4,
                                .trim_at_rest = true,
                                .spill = &store_,
                                .spill_idle_us = 0};
    governed_ = GovernedContext::attach(tiny_model(0), context_.get(), options).value();
    kv_ = pool_of(*governed_, PoolKind::kv);
  }

  void decode(std::size_t count, llama_seq_id seq) {
    for (; count > 0; --count) {
      const auto token = static_cast<llama_token>(1 + prng_.below(255));
      ASSERT_EQ(testing::decode(context_.get(), {&token, 1}, seq), 0) << count << " to go";
    }
  }
  void act(Verb verb) {
    while (kv_->apply(action_of(verb, kAll)).status == Status::more) continue;
  }
  std::uint64_t live(llama_seq_id seq) { return governed_->sequence_tokens(seq); }

  MemorySpill store_;
  Context context_ = tiny_context(kTinyUnified, true);  // 256 cells
  std::unique_ptr<GovernedContext> governed_;
  MemoryPool* kv_ = nullptr;
  Prng prng_{5};
};

TEST_F(TokenAccountTest, what_finds_no_room_is_lost_by_name_and_decoding_goes_on) {
  decode(120, 0);
  act(Verb::trim);
  const std::uint64_t trimmed = governed_->sequence_account(0).trimmed;
  ASSERT_EQ(trimmed, 108u);
  decode(256 - 12 - 1, 1);  // a single cell is left
  store_.turn({.damages = true});
  act(Verb::restore);
  decode(1, 0);
  const TokenAccount account = governed_->sequence_account(0);
  EXPECT_EQ(account.lost, trimmed);
  EXPECT_EQ(account.out() + account.reevaluated + account.spoiled, 0u);
  EXPECT_EQ(live(0), 13u);
  EXPECT_EQ(llama_memory_seq_pos_max(llama_get_memory(context_.get()), 0), 120);
  const auto losses = governed_->take_losses();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_NE(losses[0].find("sequence 0 lost 108 tokens from position 4 on"), std::string::npos)
      << losses[0];
  EXPECT_NE(losses[0].find("the cache is full"), std::string::npos) << losses[0];
}

TEST_F(TokenAccountTest, rows_of_idle_tokens_are_booked_as_spoiled_and_evaluated_anew) {
  decode(50, 0);
  decode(20, 1);
  act(Verb::spill);
  store_.turn({.fails_read = true});
  decode(1, 0);
  EXPECT_EQ(governed_->sequence_account(0).spoiled, 50u);
  EXPECT_EQ(governed_->sequence_account(0).reevaluated, 50u);
  EXPECT_EQ(governed_->sequence_account(0).out(), 0u);
  EXPECT_EQ(governed_->sequence_account(1).spoiled, 0u);
  EXPECT_EQ(governed_->measure().tokens_spoiled, 50u);
}

TEST_F(TokenAccountTest, what_is_lost_behind_a_gap_is_evaluated_with_the_gap) {
  decode(60, 0);
  act(Verb::trim);
  act(Verb::spill);  // of what is left, the last 8 lie behind the gap
  store_.turn({.fails_read = true});
  decode(1, 0);
  const TokenAccount account = governed_->sequence_account(0);
  EXPECT_EQ(account.trimmed, 48u);
  EXPECT_EQ(account.spoiled, 12u);
  EXPECT_EQ(account.reevaluated, 60u);
  EXPECT_EQ(account.lost, 0u);
  EXPECT_EQ(live(0), 61u);
}

TEST_F(TokenAccountTest, a_sequence_that_ends_loses_by_name_what_cannot_be_read) {
  decode(60, 0);
  decode(60, 2);
  act(Verb::trim);
  store_.turn({.fails_read = true});
  act(Verb::restore);
  const SequenceBooks books = governed_->settle(2);
  EXPECT_EQ(books.live_tokens, 12u);
  EXPECT_EQ(books.account.trimmed, 48u);
  EXPECT_EQ(books.account.lost, 48u);
  // Whoever goes on has his back.
  EXPECT_EQ(governed_->sequence_account(0).reevaluated, 48u);
  EXPECT_EQ(live(0), 60u);
  EXPECT_EQ(governed_->take_losses().size(), 1u);
  EXPECT_EQ(governed_->settle(2).account.lost, 48u) << "booked once";
}

TEST_F(TokenAccountTest, what_lies_on_disk_when_a_sequence_ends_is_not_lost) {
  decode(60, 0);
  act(Verb::trim);
  const SequenceBooks books = governed_->settle(0);
  EXPECT_EQ(books.account.lost, 0u);
  EXPECT_EQ(books.account.out(), 48u);
  EXPECT_EQ(books.live_tokens + books.account.out(), 60u);
}

}  // namespace
}  // namespace kvpsi
