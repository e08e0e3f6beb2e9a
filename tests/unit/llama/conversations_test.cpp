// SPDX-License-Identifier: MIT
// Several conversations in one context: each says what it would say alone, who waits in the cache
// loses nothing, seats go round, and whoever cannot go on ends without the others.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "linux/spill_file.h"
#include "llama/engine.h"
#include "model_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;

const std::vector<std::string> kTexts{
    "The capital of France is",    "Once upon a time there was a fox",
    "One two three four five six", "The sky is blue because of the way",
    "Rivers flow to the sea and",  "A good cook needs",
};

EngineOptions options_of(std::uint32_t n_seq_max, bool unified, std::uint32_t n_batch,
                         std::uint32_t n_ctx = 2048) {
  EngineOptions options;
  options.model = KVPSI_TEST_MODEL;
  options.n_ctx = n_ctx;
  options.n_seq_max = n_seq_max;
  options.n_batch = n_batch;
  options.kv_unified = unified;
  return options;
}

class ConversationsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    KVPSI_NEED_MODEL();
    generate_.ignore_eos = true;
  }

  void load(const EngineOptions& options) {
    set_elastic(true);
    auto loaded = Engine::load(options);
    ASSERT_TRUE(loaded) << describe(loaded.error());
    engine_ = std::move(*loaded);
  }

  std::vector<Token> prompt_of(std::size_t number, std::uint32_t tokens = 0) {
    PromptOptions options;
    options.text = kTexts[number % kTexts.size()];
    options.tokens = tokens;
    return build_prompt(test_model(), options).value();
  }

  Conversations hold(const std::vector<Conversation>& asked, GovernedContext* governed = nullptr) {
    auto held = engine_->converse(asked, generate_, governed, stop_);
    EXPECT_TRUE(held) << describe(held.error());
    return held ? std::move(*held) : Conversations{};
  }

  /// What the conversation says alone, in a context of its own and batches of that size.
  std::vector<Token> said_alone(const std::vector<Token>& prompt, std::uint32_t predict,
                                std::uint32_t n_batch) {
    const auto engine = Engine::load(options_of(1, true, n_batch)).value();
    GenerateOptions generate;
    generate.ignore_eos = true;
    generate.predict = predict;
    return engine->generate(prompt, generate, nullptr, stop_).value().tokens;
  }

  GenerateOptions generate_;
  std::atomic<bool> stop_{false};
  std::unique_ptr<Engine> engine_;
};

std::vector<Token> all_said(const ConversationOutcome& outcome) {
  std::vector<Token> said = outcome.first.tokens;
  if (outcome.second) {
    said.insert(said.end(), outcome.second->tokens.begin(), outcome.second->tokens.end());
  }
  return said;
}

/// By how much the likeliest token beat the one that was said, at most, judged by one sequence
/// alone that is fed what was said.
float worst_regret(const std::vector<Token>& prompt, const std::vector<Token>& said) {
  const Context alone = make_context(test_model(), kPlain, 256, true, 96);
  EXPECT_EQ(decode(alone.get(), prompt), 0);
  float worst = 0;
  for (const Token& token : said) {
    const auto logits = logits_of(alone.get(), test_model());
    worst = std::max(worst,
                     *std::ranges::max_element(logits) - logits[static_cast<std::size_t>(token)]);
    EXPECT_EQ(decode(alone.get(), {&token, 1}), 0);
  }
  return worst;
}

/// With cells of its own for each sequence, and a token a batch, the arithmetic is that of one
/// sequence alone, bit for bit.
TEST_F(ConversationsTest, say_what_each_says_alone_while_seats_go_round) {
  load(options_of(3, false, 1));
  std::vector<Conversation> asked;
  for (std::uint32_t i = 0; i < 6; ++i) {
    asked.push_back({.prompt = prompt_of(i), .predict = 6 + 3 * i, .then = i == 1 ? 5U : 0U});
  }
  std::vector<std::size_t> ended;
  generate_.on_conversation_end = [&ended](std::size_t index, const ConversationOutcome&) {
    ended.push_back(index);
  };
  const Conversations held = hold(asked);
  ASSERT_EQ(held.each.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    const std::uint32_t wanted = asked[i].predict + asked[i].then;
    const ConversationOutcome& one = held.each[i];
    EXPECT_EQ(all_said(one), said_alone(asked[i].prompt, wanted, 1)) << i;
    EXPECT_EQ(one.first.stop_reason, StopReason::length);
    EXPECT_EQ(one.live_tokens, asked[i].prompt.size() + wanted - 1);
    EXPECT_EQ(one.missing_tokens, 0U);
  }
  EXPECT_EQ(ended, (std::vector<std::size_t>{0, 2, 3, 4, 5, 1}));
  EXPECT_EQ(held.whole.decoded, 6U * 6 + 3 * 15);
  EXPECT_TRUE(std::ranges::is_sorted(held.whole.token_t_us));
  // Numbers 3 to 5 had to wait for a seat.
  EXPECT_GT(held.each[3].first.prefill_start_us, held.each[0].first.decode_end_us);
  EXPECT_LE(held.each[2].first.prefill_start_us, held.each[0].first.decode_start_us);
}

TEST_F(ConversationsTest, an_idle_one_goes_on_as_if_it_had_never_waited) {
  load(options_of(3, false, 1));
  const std::vector<Conversation> asked{{.prompt = prompt_of(1), .predict = 0, .then = 24},
                                        {.prompt = prompt_of(0), .predict = 20},
                                        {.prompt = prompt_of(4), .predict = 0}};
  bool first_turns_over = false;
  std::uint64_t waiting_tokens = 0;
  generate_.on_first_turns_over = [&] {
    first_turns_over = true;
    waiting_tokens = cache_of(engine_->context()).get_cells(0).get_used();
  };
  const Conversations held = hold(asked);
  EXPECT_TRUE(first_turns_over);
  EXPECT_EQ(waiting_tokens, asked[0].prompt.size() - 1);  // the last one is held back
  const ConversationOutcome& idle = held.each[0];
  EXPECT_TRUE(idle.idle);
  EXPECT_EQ(idle.first.decoded, 0U);
  ASSERT_TRUE(idle.second);
  EXPECT_EQ(idle.second->tokens, said_alone(asked[0].prompt, 24, 1));
  EXPECT_EQ(held.each[1].first.tokens, said_alone(asked[1].prompt, 20, 1));
  EXPECT_GT(idle.second->token_t_us.front(), held.each[1].first.token_t_us.back());
  EXPECT_EQ(held.each[2].live_tokens, asked[2].prompt.size());
  EXPECT_FALSE(held.each[2].second);
}

TEST_F(ConversationsTest, an_idle_one_whose_rows_were_on_disk_goes_on_as_well) {
  SpillFileOptions where;
  auto directory = default_spill_directory(where.place);
  if (!directory) GTEST_SKIP() << describe(directory.error());
  where.directory = std::move(*directory);
  const auto file = SpillFile::open(where);
  ASSERT_TRUE(file) << describe(file.error());
  load(options_of(2, false, 1));
  GovernOptions options;
  options.spill = file->get();
  options.spill_idle_us = 500'000;
  auto governed = GovernedContext::attach(engine_->model(), engine_->context(), options).value();
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  ASSERT_NE(kv, nullptr);
  std::uint64_t spilled = 0;
  generate_.on_first_turns_over = [&] {
    for (int i = 0; i < 200 && spilled == 0; ++i) {
      kv->apply({.decision_id = 1,
                 .verb = Verb::spill,
                 .pool = PoolKind::kv,
                 .bytes = 1U << 30,
                 .budget_us = 1'000'000});
      spilled = governed->measure().kv_spilled_bytes;
      if (spilled == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  };
  const Conversations held = hold({{.prompt = prompt_of(1, 60), .predict = 0, .then = 12},
                                   {.prompt = prompt_of(0), .predict = 2}},
                                  governed.get());
  EXPECT_GT(spilled, 0U);
  EXPECT_EQ(held.each[0].second->tokens, said_alone(prompt_of(1, 60), 12, 1));
  EXPECT_EQ(held.each[0].live_tokens, 71U);
  EXPECT_EQ(held.each[0].missing_tokens, 0U);
  EXPECT_EQ(governed->measure().bytes_restored, spilled);
}

TEST_F(ConversationsTest, one_that_is_idle_for_long_stays_on_disk_until_it_is_used) {
  SpillFileOptions where;
  auto directory = default_spill_directory(where.place);
  if (!directory) GTEST_SKIP() << describe(directory.error());
  where.directory = std::move(*directory);
  const auto file = SpillFile::open(where);
  ASSERT_TRUE(file) << describe(file.error());
  load(options_of(2, false, 1));
  GovernOptions options;
  options.spill = file->get();
  options.spill_idle_us = 100'000;
  options.spill_park_us = 400'000;
  auto governed = GovernedContext::attach(engine_->model(), engine_->context(), options).value();
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  ASSERT_NE(kv, nullptr);
  const auto apply = [kv](Verb verb) {
    return kv->apply({.decision_id = 1,
                      .verb = verb,
                      .pool = PoolKind::kv,
                      .bytes = 1U << 30,
                      .budget_us = 5'000'000});
  };
  generate_.on_first_turns_over = [&] {
    for (int i = 0; i < 200 && kv->view().idle_bytes == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    const PoolView before = kv->view();
    EXPECT_GT(before.idle_bytes, 0U);
    EXPECT_EQ(before.idle_bytes, before.spillable_bytes);
    for (int i = 0; i < 10 && kv->view().spillable_bytes > 0; ++i) apply(Verb::spill);
    EXPECT_EQ(kv->view().parked_bytes, before.idle_bytes);
    EXPECT_EQ(kv->view().spilled_bytes, 0U);
    EXPECT_EQ(apply(Verb::restore).bytes_restored, 0U);
    EXPECT_EQ(governed->measure().kv_spilled_bytes, before.idle_bytes);
  };
  const Conversations held = hold({{.prompt = prompt_of(1, 60), .predict = 0, .then = 12},
                                   {.prompt = prompt_of(0), .predict = 2}},
                                  governed.get());
  EXPECT_EQ(held.each[0].second->tokens, said_alone(prompt_of(1, 60), 12, 1));
  EXPECT_EQ(held.each[0].missing_tokens, 0U);
}

class SharedBatchTest : public ConversationsTest, public ::testing::WithParamInterface<bool> {};

/// In a batch with others, and among their cells, rounding differs: never by more than a near tie.
TEST_P(SharedBatchTest, says_the_likeliest_of_one_sequence_alone) {
  load(options_of(4, GetParam(), 32));
  const std::vector<Conversation> asked{{.prompt = prompt_of(0), .predict = 30},
                                        {.prompt = prompt_of(1), .predict = 0, .then = 30},
                                        {.prompt = prompt_of(2, 70), .predict = 20, .then = 10},
                                        {.prompt = prompt_of(3), .predict = 30},
                                        {.prompt = prompt_of(4, 40), .predict = 25}};
  const Conversations held = hold(asked);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const std::vector<Token> said = all_said(held.each[i]);
    ASSERT_EQ(said.size(), asked[i].predict + asked[i].then);
    EXPECT_LT(worst_regret(asked[i].prompt, said), 0.5F) << i;
  }
  // The measure tells: the same words after another's prompt are far from the likeliest.
  EXPECT_GT(worst_regret(asked[1].prompt, held.each[0].first.tokens), 2.0F);
}

INSTANTIATE_TEST_SUITE_P(Caches, SharedBatchTest, ::testing::Bool(), [](const auto& unified) {
  return std::string(unified.param ? "unified" : "streams");
});

TEST_F(ConversationsTest, a_full_context_ends_the_last_and_leaves_its_room_to_the_others) {
  load(options_of(3, true, 64, 256));
  std::vector<Conversation> asked;
  for (std::uint32_t i = 0; i < 3; ++i) {
    asked.push_back({.prompt = prompt_of(i, 70), .predict = 120});
  }
  const Conversations held = hold(asked);
  EXPECT_EQ(held.each[0].first.stop_reason, StopReason::length);
  EXPECT_EQ(held.each[0].first.decoded, 120U);
  EXPECT_EQ(held.each[1].first.stop_reason, StopReason::context_full);
  EXPECT_EQ(held.each[2].first.stop_reason, StopReason::context_full);
  EXPECT_GT(held.each[1].first.decoded, held.each[2].first.decoded);
  EXPECT_GT(held.each[2].first.decoded, 10U);
  EXPECT_EQ(held.whole.stop_reason, StopReason::context_full);
}

TEST_F(ConversationsTest, a_full_share_of_the_context_ends_its_own_conversation_only) {
  load(options_of(2, false, 64, 512));
  ASSERT_EQ(engine_->sequence_limit(), 256U);
  const Conversations held = hold({{.prompt = prompt_of(0, 200), .predict = 100},
                                   {.prompt = prompt_of(1, 60), .predict = 100}});
  EXPECT_EQ(held.each[0].first.stop_reason, StopReason::context_full);
  EXPECT_EQ(held.each[0].first.decoded, 57U);  // 56 of them in the cache
  EXPECT_EQ(held.each[1].first.stop_reason, StopReason::length);
}

TEST_F(ConversationsTest, the_cap_on_kv_memory_ends_the_last) {
  load(options_of(2, true, 64, 512));
  const std::uint64_t per_cell = GovernedContext::attach(engine_->model(), engine_->context(), {})
                                     .value()
                                     ->measure()
                                     .kv_bytes_per_cell;
  GovernOptions options;
  options.kv_max_bytes = 160 * per_cell;
  auto governed = GovernedContext::attach(engine_->model(), engine_->context(), options).value();
  const Conversations held = hold(
      {{.prompt = prompt_of(0, 60), .predict = 80}, {.prompt = prompt_of(1, 60), .predict = 80}},
      governed.get());
  EXPECT_EQ(held.each[0].first.stop_reason, StopReason::length);
  EXPECT_EQ(held.each[1].first.stop_reason, StopReason::kv_max);
  EXPECT_EQ(held.each[1].live_tokens, 80U);
  EXPECT_EQ(governed->measure().kv_cells_live, 0U);
}

TEST_F(ConversationsTest, trimmed_tokens_are_told_of_the_conversation_that_lost_them) {
  load(options_of(2, true, 32, 512));
  GovernOptions options;
  options.trim = TrimMode::eager;
  options.keep = 8;
  options.tail = 32;
  options.min_prune = 1;
  auto governed = GovernedContext::attach(engine_->model(), engine_->context(), options).value();
  generate_.on_first_turns_over = [&governed] { EXPECT_GT(governed->make_room(412), 0U); };
  const Conversations held = hold({{.prompt = prompt_of(0, 150), .predict = 0, .then = 4},
                                   {.prompt = prompt_of(1, 30), .predict = 0}},
                                  governed.get());
  EXPECT_EQ(held.each[0].missing_tokens, governed->measure().tokens_trimmed);
  EXPECT_EQ(held.each[0].live_tokens + held.each[0].missing_tokens, 153U);
  EXPECT_EQ(held.each[1].missing_tokens, 0U);
  EXPECT_EQ(held.each[1].live_tokens, 30U);
}

TEST_F(ConversationsTest, a_stop_ends_all_and_keeps_what_there_is) {
  load(options_of(2, true, 64));
  generate_.on_progress = [this](std::uint32_t, std::uint32_t decoded) {
    if (decoded >= 8) stop_ = true;
  };
  const Conversations held = hold({{.prompt = prompt_of(0), .predict = 100, .then = 5},
                                   {.prompt = prompt_of(1), .predict = 100},
                                   {.prompt = prompt_of(2), .predict = 100}});
  for (const ConversationOutcome& one : held.each) {
    EXPECT_EQ(one.first.stop_reason, StopReason::interrupted);
  }
  EXPECT_EQ(held.each[0].first.decoded, 4U);
  EXPECT_EQ(held.each[0].second->decoded, 0U);
  EXPECT_EQ(held.each[0].second->stop_reason, StopReason::interrupted);
  EXPECT_EQ(held.each[1].first.decoded, 4U);
  EXPECT_EQ(held.each[2].first.prefilled, 0U);
  EXPECT_EQ(held.whole.stop_reason, StopReason::interrupted);
}

TEST_F(ConversationsTest, what_cannot_be_held_is_refused_before_anything_is_evaluated) {
  load(options_of(2, true, 64, 256));
  const Conversation idle{.prompt = prompt_of(0), .predict = 0};
  const Conversation speaks{.prompt = prompt_of(1), .predict = 4};
  const auto seats = engine_->converse(std::vector{idle, idle, speaks}, generate_, nullptr, stop_);
  ASSERT_FALSE(seats);
  EXPECT_EQ(seats.error().code, ErrorCode::invalid_argument);
  const Conversation too_long{.prompt = prompt_of(0, 256), .predict = 1};
  const auto fits = engine_->converse(std::vector{speaks, too_long}, generate_, nullptr, stop_);
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(cache_of(engine_->context()).get_cells(0).get_used(), 0U);
}

}  // namespace
}  // namespace kvpsi
