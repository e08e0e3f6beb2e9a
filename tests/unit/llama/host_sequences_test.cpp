// SPDX-License-Identifier: MIT
// A host that knows its conversations says whose context may be reduced and in which turn, and is
// told how much a response had to do without; tokens that it names can be evaluated anew.
#include "llama/host_sequences.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/memory_spill.h"
#include "tiny_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;
using test::MemorySpill;

constexpr std::uint64_t kAll = std::uint64_t{1} << 40;

std::vector<llama_token> some_tokens(std::size_t count) {
  std::vector<llama_token> tokens(count);
  std::iota(tokens.begin(), tokens.end(), 1);
  return tokens;
}

/// A context whose host names what may be trimmed.
class Hosted {
 public:
  explicit Hosted(const TinyKind& kind = kTinyUnified) : context(tiny_context(kind, true)) {
    const GovernOptions options{.trim = TrimMode::last_resort,
                                .keep = 4,
                                .tail = 8,
                                .min_prune = 4,
                                .trim_at_rest = true,
                                .trim_only_allowed = true,
                                .spill = &store,
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
  EXPECT_EQ(gap.missing(), 0u);
}

TEST(HostSequences, NobodyIsTrimmedUnlessTheHostAllowsIt) {
  Hosted host;
  host.decode(some_tokens(100), 0);
  EXPECT_EQ(host.kv->view().trimmable_bytes, 0u);
  host.act(Verb::trim);
  EXPECT_EQ(host.trimmed_of(0), 0u);
  begin_response(host.context.get(), 0, /*may_trim=*/false, 0);
  EXPECT_EQ(host.kv->view().trimmable_bytes, 0u);
  begin_response(host.context.get(), 0, /*may_trim=*/true, 0);
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
    begin_response(host.context.get(), 0, true, first);
    begin_response(host.context.get(), 1, true, 0);
    host.act(Verb::trim, 10 * host.kv->view().bytes_per_cell);
    EXPECT_EQ(host.trimmed_of(0) > 0, first < 0);
    EXPECT_EQ(host.trimmed_of(1) > 0, first > 0);
  }
}

TEST(HostSequences, AResponseIsToldWhatItHadToDoWithout) {
  Hosted host;
  host.decode(some_tokens(100), 0);
  begin_response(host.context.get(), 0, true, 0);
  host.decode({5}, 0);
  EXPECT_FALSE(host.gap(0).is_reduced());
  host.act(Verb::trim);
  EXPECT_FALSE(host.gap(0).is_reduced());  // nothing was decoded without them yet
  host.decode({6}, 0);
  EXPECT_EQ(host.gap(0), (ContextGap{.trimmed = 89, .restored = 0}));
  host.act(Verb::restore);
  host.decode({7}, 0);
  EXPECT_EQ(host.gap(0), (ContextGap{.trimmed = 89, .restored = 89}));
  begin_response(host.context.get(), 0, true, 0);
  EXPECT_FALSE(host.gap(0).is_reduced());
  EXPECT_FALSE(host.gap(1).is_reduced());
}

TEST(HostSequences, WhatTheHostForbidsIsWholeWhenItIsDecoded) {
  for (const TinyKind& kind : {kTinyUnified, kTinyStreams}) {
    Hosted host(kind);
    host.decode(some_tokens(100), 0);
    begin_response(host.context.get(), 0, true, 0);
    host.act(Verb::trim);
    ASSERT_EQ(host.trimmed_of(0), 88u);
    begin_response(host.context.get(), 0, /*may_trim=*/false, 0);
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

TEST(HostSequences, AContextThatIsNotGovernedIsLeftAlone) {
  const Context context = tiny_context(kTinyUnified, false);
  begin_response(context.get(), 0, true, 0);
  end_response(context.get(), 0);
  know_tokens(context.get(), 0, {});
  know_loaded_tokens(context.get(), {});
  EXPECT_FALSE(gap_of(context.get(), 0).is_reduced());
}

}  // namespace
}  // namespace kvpsi
