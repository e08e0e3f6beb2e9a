// SPDX-License-Identifier: MIT
// Contexts attached from their birth: one that sleeps and wakes, two at once, one that is refused,
// and a probe without memory.
#include "llama/governed_contexts.h"

#include <gtest/gtest.h>

#include "tiny_fixture.h"

namespace kvpsi {
namespace {

using testing::kTinyUnified;
using testing::tiny_context;
using testing::tiny_model;

/// What was reported.
struct Seen {
  std::vector<ContextReport> reports;
  bool accept = true;

  GovernedContexts::OnContext listener() {
    return [this](const ContextReport& report) {
      reports.push_back(report);
      return accept;
    };
  }
};

std::uint64_t kv_reserved(GovernedContexts& contexts) {
  return contexts.pools()[0]->view().reserved_bytes;
}

TEST(GovernedContexts, FollowOneThatComesGoesAndComesAgain) {
  Seen seen;
  set_elastic(true);
  GovernedContexts contexts({}, seen.listener());
  EXPECT_EQ(kv_reserved(contexts), 0u);
  for (std::size_t round = 1; round <= 2; ++round) {
    const auto context = tiny_context(kTinyUnified, /*elastic=*/true);
    ASSERT_NE(context, nullptr);
    ASSERT_EQ(seen.reports.size(), round);
    EXPECT_TRUE(seen.reports.back().self_check.ok) << seen.reports.back().self_check.what;
    EXPECT_GT(kv_reserved(contexts), 0u);
  }
  EXPECT_EQ(kv_reserved(contexts), 0u);
  EXPECT_TRUE(contexts.take_losses().empty());
}

TEST(GovernedContexts, AddUpTwoAtOnce) {
  Seen seen;
  set_elastic(true);
  GovernedContexts contexts({}, seen.listener());
  const auto large = tiny_context(kTinyUnified, true);
  const std::uint64_t one = kv_reserved(contexts);
  const auto draft = tiny_context(kTinyUnified, true);
  EXPECT_EQ(kv_reserved(contexts), 2 * one);
  const Outcome outcome = contexts.pools()[0]->apply({.decision_id = 1, .verb = Verb::release});
  EXPECT_NE(outcome.status, Status::failed);
  EXPECT_EQ(contexts.pools()[1]->kind(), PoolKind::scratch);
  EXPECT_EQ(contexts.pools()[2]->kind(), PoolKind::heap);
}

TEST(GovernedContexts, RefuseOneWhoseListenerDoes) {
  Seen seen;
  seen.accept = false;
  set_elastic(true);
  GovernedContexts contexts({}, seen.listener());
  EXPECT_EQ(tiny_context(kTinyUnified, true), nullptr);
  EXPECT_EQ(seen.reports.size(), 1u);
  EXPECT_EQ(kv_reserved(contexts), 0u);
}

TEST(GovernedContexts, LeaveAProbeAlone) {
  Seen seen;
  set_elastic(true);
  const test::TemporaryFile file("probe.gguf");
  ASSERT_TRUE(test::TinyModelWriter({}).write(file.path()));
  GovernedContexts contexts({}, seen.listener());
  llama_model_params params = llama_model_default_params();
  params.no_alloc = true;
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  const testing::Model model(llama_model_load_from_file(file.path().c_str(), params));
  ASSERT_NE(model, nullptr);
  llama_context_params shape = llama_context_default_params();
  shape.n_ctx = 256;
  const testing::Context probe(llama_init_from_model(model.get(), shape));
  EXPECT_NE(probe, nullptr);
  EXPECT_TRUE(seen.reports.empty());
}

}  // namespace
}  // namespace kvpsi
