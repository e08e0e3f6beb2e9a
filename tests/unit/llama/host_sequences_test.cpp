// SPDX-License-Identifier: MIT
// A host that knows its conversations says whose context may be reduced and in which turn, and is
// told how much a response had to do without; tokens that it names can be evaluated anew.
#include "llama/host_sequences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "support/memory_spill.h"
#include "tiny_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;
using test::MemorySpill;
using test::TemporaryFile;

constexpr std::uint64_t kAll = std::uint64_t{1} << 40;

std::vector<llama_token> some_tokens(std::size_t count) {
  std::vector<llama_token> tokens(count);
  std::iota(tokens.begin(), tokens.end(), 1);
  return tokens;
}

/// A context whose host names what may be trimmed.
class Hosted {
 public:
  explicit Hosted(const TinyKind& kind = kTinyUnified, bool has_file = true)
      : context(tiny_context(kind, true)) {
    const GovernOptions options{.trim = has_file ? TrimMode::last_resort : TrimMode::eager,
                                .keep = 4,
                                .tail = 8,
                                .min_prune = 4,
                                .trim_at_rest = true,
                                .trim_only_allowed = true,
                                .spill = has_file ? &store : nullptr,
                                .spill_idle_us = 0};
    governed = GovernedContext::attach(tiny_model(kind.window), context.get(), options).value();
    kv = pool_of(*governed, PoolKind::kv);
  }

  void decode(const std::vector<llama_token>& tokens, llama_seq_id seq) {
    for (std::size_t at = 0; at < tokens.size(); at += 24) {
      const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(at);
      const auto count = static_cast<std::ptrdiff_t>(std::min<std::size_t>(24, tokens.size() - at));
      ASSERT_EQ(testing::decode(context.get(), {first, first + count}, seq), 0);
    }
  }
  /// One token where the host takes its sequence to go on.
  void decode_at(llama_pos pos, llama_token token, llama_seq_id seq) {
    llama_batch batch = llama_batch_init(1, 0, 1);
    batch.n_tokens = 1;
    batch.token[0] = token;
    batch.pos[0] = pos;
    batch.n_seq_id[0] = 1;
    batch.seq_id[0][0] = seq;
    batch.logits[0] = 1;
    EXPECT_EQ(llama_decode(context.get(), batch), 0);
    llama_batch_free(batch);
  }
  void act(Verb verb, std::uint64_t bytes = kAll) {
    while (kv->apply(action_of(verb, bytes)).status == Status::more) continue;
  }
  std::uint64_t trimmed_of(std::int32_t seq) { return governed->sequence_account(seq).trimmed; }
  ContextGap gap(llama_seq_id seq) const { return gap_of(context.get(), seq); }

  MemorySpill store;
  Context context;
  std::unique_ptr<GovernedContext> governed;
  MemoryPool* kv = nullptr;
};

TEST(ContextGap, CountsWhatComesAndGoes) {
  ContextGap gap;
  gap.look(0);
  EXPECT_FALSE(gap.is_reduced());
  for (const std::uint64_t missing : {30, 50, 20, 20, 25, 0}) gap.look(missing);
  EXPECT_EQ(gap, (ContextGap{.trimmed = 55, .restored = 55}));
  EXPECT_TRUE(gap.is_reduced());
}

TEST(HostSequences, NobodyIsTrimmedUnlessTheHostAllowsIt) {
  Hosted host;
  host.decode(some_tokens(100), 0);
  EXPECT_EQ(host.kv->view().trimmable_bytes, 0u);
  host.act(Verb::trim);
  EXPECT_EQ(host.trimmed_of(0), 0u);
  begin_response(host.context.get(), 0, {.may_trim = false});
  EXPECT_EQ(host.kv->view().trimmable_bytes, 0u);
  begin_response(host.context.get(), 0, {.may_trim = true});
  EXPECT_GT(host.kv->view().trimmable_bytes, 0u);
  host.act(Verb::trim);
  EXPECT_EQ(host.trimmed_of(0), 88u);
  end_response(host.context.get(), 0);
  EXPECT_EQ(host.kv->view().trimmable_bytes, 0u);
}

TEST(HostSequences, TheLowestPriorityIsTrimmedFirst) {
  for (const std::int16_t first : {-3, 3}) {
    Hosted host;
    host.decode(some_tokens(70), 0);
    host.decode(some_tokens(90), 1);  // longer: its turn comes first among equals
    begin_response(host.context.get(), 0, {.may_trim = true, .priority = first});
    begin_response(host.context.get(), 1, {.may_trim = true});
    host.act(Verb::trim, 10 * host.kv->view().bytes_per_cell);
    EXPECT_EQ(host.trimmed_of(0) > 0, first < 0);
    EXPECT_EQ(host.trimmed_of(1) > 0, first > 0);
  }
}

TEST(HostSequences, AResponseIsToldWhatItHadToDoWithout) {
  Hosted host;
  host.decode(some_tokens(100), 0);
  begin_response(host.context.get(), 0, {.may_trim = true});
  host.decode({5}, 0);
  EXPECT_FALSE(host.gap(0).is_reduced());
  host.act(Verb::trim);
  EXPECT_FALSE(host.gap(0).is_reduced());  // nothing was decoded without them yet
  host.decode({6}, 0);
  EXPECT_EQ(host.gap(0), (ContextGap{.trimmed = 89, .restored = 0, .missing = 89}));
  host.act(Verb::restore);
  host.decode({7}, 0);
  EXPECT_EQ(host.gap(0), (ContextGap{.trimmed = 89, .restored = 89}));
  begin_response(host.context.get(), 0, {.may_trim = true});
  EXPECT_FALSE(host.gap(0).is_reduced());
  EXPECT_FALSE(host.gap(1).is_reduced());
}

TEST(HostSequences, WhatTheHostForbidsIsWholeWhenItIsDecoded) {
  for (const TinyKind& kind : {kTinyUnified, kTinyStreams}) {
    Hosted host(kind);
    host.decode(some_tokens(100), 0);
    begin_response(host.context.get(), 0, {.may_trim = true});
    host.act(Verb::trim);
    ASSERT_EQ(host.trimmed_of(0), 88u);
    begin_response(host.context.get(), 0, {.may_trim = false});
    host.decode({5}, 0);
    EXPECT_FALSE(host.gap(0).is_reduced());
    EXPECT_EQ(host.governed->sequence_account(0).restored, 88u);
    EXPECT_EQ(host.store.use().held_bytes, 0u);
  }
}

/// A state that went through the host's memory, and a disk that loses it.
std::uint64_t lose_after_loading(bool names_tokens) {
  Hosted host;
  const std::vector<llama_token> tokens = some_tokens(60);
  host.decode(tokens, 0);
  std::vector<std::uint8_t> state(llama_state_seq_get_size(host.context.get(), 0));
  llama_state_seq_get_data(host.context.get(), state.data(), state.size(), 0);
  EXPECT_GT(llama_state_seq_set_data(host.context.get(), state.data(), state.size(), 1), 0u);
  if (names_tokens) know_tokens(host.context.get(), 1, tokens);
  host.act(Verb::spill);
  host.store.turn({.damages = true});
  host.decode({5}, 1);
  const ContextMemory memory = host.governed->measure();
  EXPECT_EQ(memory.tokens_lost + memory.tokens_reevaluated, 60u);
  return memory.tokens_reevaluated;
}

TEST(HostSequences, LoadedTokensAreEvaluatedAnewIfTheHostNamesThem) {
  EXPECT_EQ(lose_after_loading(/*names_tokens=*/true), 60u);
  EXPECT_EQ(lose_after_loading(/*names_tokens=*/false), 0u);
}

TEST(HostSequences, TheTokensOfWhatWasLoadedLastCanBeNamed) {
  Hosted host;
  const std::vector<llama_token> tokens = some_tokens(30);
  host.decode(tokens, 0);
  std::vector<std::uint8_t> state(llama_state_seq_get_size(host.context.get(), 0));
  llama_state_seq_get_data(host.context.get(), state.data(), state.size(), 0);
  llama_state_seq_set_data(host.context.get(), state.data(), state.size(), 2);
  know_loaded_tokens(host.context.get(), tokens);
  know_loaded_tokens(host.context.get(), some_tokens(1));  // nothing was loaded since
  host.act(Verb::spill);
  host.store.turn({.damages = true});
  host.decode({5}, 2);
  EXPECT_EQ(host.governed->measure().tokens_reevaluated, 30u);
}

std::vector<float> last_logits(llama_context* context) {
  const std::span<const float> logits = logits_of(context, tiny_model(0));
  return {logits.begin(), logits.end()};
}

/// What a stock context says after these tokens.
std::vector<float> logits_after(const std::vector<llama_token>& tokens) {
  const Context context = tiny_context(kTinyUnified, false);
  for (std::size_t at = 0; at < tokens.size(); at += 24) {
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min<std::size_t>(24, tokens.size() - at));
    EXPECT_EQ(testing::decode(context.get(), {first, first + count}, 0), 0);
  }
  return last_logits(context.get());
}

float difference(const std::vector<float>& a, const std::vector<float>& b) {
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

/// Batches of another size alone move the logits of the tiny models by up to this.
constexpr float kClose = 0.05F;

/// A hundred tokens, of which 88 in the middle are gone for good.
class Dropped : public Hosted {
 public:
  Dropped() : Hosted(kTinyUnified, /*has_file=*/false) {
    decode(tokens, 0);
    begin_response(context.get(), 0, {.may_trim = true});
    act(Verb::trim);
    EXPECT_EQ(governed->sequence_account(0).lost, 88u);
  }
  void cut(llama_pos end) { llama_memory_seq_rm(llama_get_memory(context.get()), 0, end, -1); }
  llama_pos last() const { return llama_memory_seq_pos_max(llama_get_memory(context.get()), 0); }

  const std::vector<llama_token> tokens = some_tokens(100);
};

TEST(HostSequences, AnEndThatIsGoneForGoodIsEvaluatedFromThePrompt) {
  Dropped host;
  std::vector<llama_token> prompt(host.tokens.begin(), host.tokens.begin() + 50);
  prompt.push_back(7);
  begin_response(host.context.get(), 0, {.may_trim = true, .prompt = prompt});
  host.cut(50);
  host.decode_at(50, 7, 0);
  EXPECT_EQ(host.last(), 50);
  EXPECT_FALSE(host.gap(0).is_reduced());
  EXPECT_LT(difference(last_logits(host.context.get()), logits_after(prompt)), kClose);
}

TEST(HostSequences, WhatIsForbiddenIsWholeEvenWhereTokensAreGone) {
  Dropped host;
  std::vector<llama_token> prompt = host.tokens;
  prompt.push_back(7);
  begin_response(host.context.get(), 0, {.may_trim = false, .prompt = prompt});
  host.cut(100);
  host.decode_at(100, 7, 0);
  EXPECT_FALSE(host.gap(0).is_reduced());
  EXPECT_LT(difference(last_logits(host.context.get()), logits_after(prompt)), kClose);
}

TEST(HostSequences, WhatTheHostTakesOutItselfIsNotBack) {
  Dropped host;
  host.decode({5}, 0);
  EXPECT_EQ(host.gap(0), (ContextGap{.trimmed = 88, .restored = 0, .missing = 88}));
  llama_memory_t memory = llama_get_memory(host.context.get());
  llama_memory_seq_rm(memory, 0, 4, 92);
  llama_memory_seq_add(memory, 0, 92, -1, -88);
  host.decode({6}, 0);
  EXPECT_EQ(host.gap(0).trimmed, 88u);
  EXPECT_EQ(host.gap(0).restored, 0u);
}

TEST(HostSequences, AnEndWhereNothingWasMissingIsTheHostsOwn) {
  Hosted host;
  host.decode(some_tokens(30), 0);
  begin_response(host.context.get(), 0, {.may_trim = false});
  llama_memory_seq_rm(llama_get_memory(host.context.get()), 0, 31, -1);
  host.decode({5}, 0);
  EXPECT_EQ(llama_memory_seq_pos_max(llama_get_memory(host.context.get()), 0), 30);
  EXPECT_TRUE(host.governed->take_losses().empty());
}

TEST(HostSequences, AnEndThatNobodyKnowsIsClosedAndSaid) {
  Dropped host;
  begin_response(host.context.get(), 0, {.may_trim = true});
  host.cut(50);
  host.decode_at(50, 7, 0);
  EXPECT_EQ(host.last(), 50);
  EXPECT_TRUE(host.gap(0).is_reduced());
  const auto losses = host.governed->take_losses();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_NE(losses[0].find("without the tokens from 4 on"), std::string::npos) << losses[0];
}

enum class Through { nothing, memory, question, empty, file, file_and_restart };

/// Saves sequence 0 of one context and loads it into the other, which may be the same.
void pass_through_memory(llama_context* from, llama_context* to) {
  std::vector<std::uint8_t> state(llama_state_seq_get_size_ext(from, 0, 0));
  llama_state_seq_get_data_ext(from, state.data(), state.size(), 0, 0);
  llama_memory_seq_rm(llama_get_memory(to), 0, -1, -1);
  EXPECT_GT(llama_state_seq_set_data_ext(to, state.data(), state.size(), 0, 0), 0u);
}

/// The same through a copy of a file.
void pass_through_file(llama_context* from, llama_context* to) {
  const TemporaryFile saved("saved");
  const TemporaryFile copy("copy");
  EXPECT_GT(llama_state_seq_save_file(from, saved.path().c_str(), 0, nullptr, 0), 0u);
  std::filesystem::copy_file(saved.path(), copy.path());
  std::size_t count = 0;
  llama_token none = 0;
  EXPECT_EQ(llama_state_seq_load_file(to, copy.path().c_str(), 0, nullptr, 0, &count), 12u)
      << "magic, version and number of tokens";
  EXPECT_GT(llama_state_seq_load_file(to, copy.path().c_str(), 0, &none, 1, &count), 12u);
}

/// Loads the state of a sequence without cells, which leaves the one that is there.
void load_empty(llama_context* context) {
  std::vector<std::uint8_t> state(llama_state_seq_get_size_ext(context, 1, 0));
  llama_state_seq_get_data_ext(context, state.data(), state.size(), 1, 0);
  EXPECT_GT(llama_state_seq_set_data_ext(context, state.data(), state.size(), 0, 0), 0u);
}

/// Asks how many tokens a file has that holds the state of another sequence.
void ask_file(llama_context* context) {
  const TemporaryFile file("other");
  EXPECT_GT(llama_state_seq_save_file(context, file.path().c_str(), 1, nullptr, 0), 0u);
  std::size_t count = 0;
  EXPECT_GT(llama_state_seq_load_file(context, file.path().c_str(), 0, nullptr, 0, &count), 0u);
}

/// 90 tokens, 10 more, and the one that is answered.
std::vector<llama_token> prompt_of_answer() {
  std::vector<llama_token> prompt = some_tokens(90);
  const std::vector<llama_token> more = some_tokens(10);
  prompt.insert(prompt.end(), more.begin(), more.end());
  prompt.push_back(7);
  return prompt;
}

/// Rows 90 to 99 are evaluated without the middle, which returns then.
std::vector<float> answer_after_a_gap(bool is_forbidden, Through way) {
  Hosted host;
  const std::vector<llama_token> prompt = prompt_of_answer();
  host.decode(some_tokens(90), 0);
  begin_response(host.context.get(), 0, {.may_trim = true});
  host.act(Verb::trim);
  host.decode(some_tokens(10), 0);
  host.act(Verb::restore);
  Hosted restarted;
  Hosted& next = way == Through::file_and_restart ? restarted : host;
  llama_context* const context = next.context.get();
  if (way == Through::memory) pass_through_memory(host.context.get(), context);
  if (way == Through::question) ask_file(context);
  if (way == Through::empty) load_empty(context);
  if (way >= Through::file) pass_through_file(host.context.get(), context);
  begin_response(context, 0, {.may_trim = !is_forbidden, .prompt = prompt});
  llama_memory_seq_rm(llama_get_memory(context), 0, 100, -1);
  next.decode_at(100, 7, 0);
  EXPECT_FALSE(next.gap(0).is_reduced());
  return last_logits(context);
}

TEST(HostSequences, WhatWasEvaluatedWithoutTheMiddleIsEvaluatedAnewWhereThatIsForbidden) {
  const std::vector<float> whole = logits_after(prompt_of_answer());
  EXPECT_GT(difference(answer_after_a_gap(false, Through::nothing), whole), kClose);
  EXPECT_LT(difference(answer_after_a_gap(true, Through::nothing), whole), kClose);
  EXPECT_LT(difference(answer_after_a_gap(true, Through::memory), whole), kClose);
  EXPECT_LT(difference(answer_after_a_gap(true, Through::question), whole), kClose);
  EXPECT_LT(difference(answer_after_a_gap(true, Through::empty), whole), kClose);
}

TEST(HostSequences, AFileKeepsWhatWasEvaluatedWithoutTheMiddle) {
  const std::vector<float> whole = logits_after(prompt_of_answer());
  EXPECT_LT(difference(answer_after_a_gap(true, Through::file), whole), kClose);
  EXPECT_LT(difference(answer_after_a_gap(true, Through::file_and_restart), whole), kClose);
  EXPECT_GT(difference(answer_after_a_gap(false, Through::file_and_restart), whole), kClose);
}

TEST(HostSequences, ASaveThatFailsLeavesWhatIsKnownOfTheFile) {
  Hosted host;
  llama_context* const context = host.context.get();
  host.decode(some_tokens(90), 0);
  begin_response(context, 0, {.may_trim = true});
  host.act(Verb::trim);
  host.decode(some_tokens(10), 0);
  const std::string folder = std::filesystem::temp_directory_path().string();
  EXPECT_EQ(llama_state_seq_save_file(context, folder.c_str(), 0, nullptr, 0), 0u);
  for (const std::string& loss : host.governed->take_losses()) {
    EXPECT_EQ(loss.find("will not know"), std::string::npos) << loss;
  }
}

TEST(HostSequences, AContextThatIsNotGovernedIsLeftAlone) {
  const Context context = tiny_context(kTinyUnified, false);
  begin_response(context.get(), 0, {.may_trim = true});
  end_response(context.get(), 0);
  know_tokens(context.get(), 0, {});
  know_loaded_tokens(context.get(), {});
  EXPECT_FALSE(gap_of(context.get(), 0).is_reduced());
}

}  // namespace
}  // namespace kvpsi
