// SPDX-License-Identifier: MIT
// The synthetic pools: what waits for a safe point, what comes back, floors, the budget, refusals.
#include "sim/sim_pools.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/bytes.h"
#include "sim/constants.h"

namespace kvpsi {
namespace {

class SimPoolsTest : public testing::Test, public SafePointListener {
 protected:
  static EngineSpec make_spec() {
    EngineSpec spec;
    spec.bytes_per_token = 64 * kKiB;
    spec.tokens_per_s = 10;
    spec.prefill_tokens_per_s = 1280;  // a batch takes 100 ms
    spec.context_tokens = 4096;
    spec.trim = TrimRule::eager;
    return spec;
  }
  explicit SimPoolsTest(EngineSpec spec = make_spec())
      : engine_(spec, {{.prompt_tokens = 1280, .answer_tokens = 50},
                       {.start_s = 10, .prompt_tokens = 256, .forgets = true}}) {}

  void run_until(double t_s) {
    for (; t_s_ < t_s; t_s_ += 0.02) engine_.advance(t_s_, 0.02, 1, *this);
  }
  static Action make(Verb verb, std::uint64_t bytes = 0) {
    return {.decision_id = 7, .verb = verb, .bytes = bytes, .budget_us = 20'000};
  }
  void at_safe_point() override {
    kv_.serve();
    scratch_.serve();
  }
  Outcomes drain() {
    Outcomes ended;
    kv_.drain(ended);
    return ended;
  }

  EngineModel engine_;
  std::uint64_t now_us_ = 1;
  double t_s_ = 0;
  KvSimPool kv_{engine_, now_us_};
  ScratchSimPool scratch_{engine_, now_us_};
};

TEST_F(SimPoolsTest, a_prompt_fills_cells_in_batches_and_an_answer_token_by_token) {
  run_until(0.3);
  EXPECT_EQ(engine_.live_tokens() % kMachine.prefill_batch, 0U);
  EXPECT_GE(engine_.live_tokens(), 256U);
  run_until(8);
  EXPECT_EQ(engine_.live_tokens(), 1330U);
  EXPECT_EQ(engine_.tokens_decoded(), 50U);
  EXPECT_EQ(engine_.turns_ended(), 1U);
  EXPECT_FALSE(engine_.is_busy());
  EXPECT_EQ(kv_.view().live_bytes, 1330 * 64 * kKiB);
  EXPECT_EQ(kv_.view().releasable_bytes, 0U);
}

TEST_F(SimPoolsTest, a_trim_waits_for_the_next_safe_point_and_keeps_keep_and_tail) {
  run_until(2);
  ASSERT_TRUE(engine_.is_busy());
  EXPECT_EQ(kv_.apply(make(Verb::trim, kGiB)).status, Status::queued);
  EXPECT_TRUE(drain().empty());
  const std::uint64_t before = engine_.live_tokens();
  run_until(2.3);
  const Outcomes ended = drain();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].status, Status::done);
  EXPECT_EQ(ended[0].decision_id, 7U);
  EXPECT_GE(ended[0].tokens_trimmed, before - 64 - 256);
  EXPECT_EQ(ended[0].bytes_released, ended[0].tokens_trimmed * 64 * kKiB);
  EXPECT_LE(engine_.live_tokens(), 64U + 256 + 5);
  EXPECT_EQ(engine_.tokens_lost(), ended[0].tokens_trimmed);
  EXPECT_GT(engine_.full_bytes(), engine_.live_bytes() + ended[0].tokens_trimmed * 60 * kKiB);
}

TEST_F(SimPoolsTest, an_engine_at_rest_releases_and_trims_at_once) {
  run_until(8);
  EXPECT_EQ(kv_.apply(make(Verb::release)).status, Status::nothing);
  EXPECT_EQ(kv_.apply(make(Verb::trim, 10 * kMiB)).status, Status::done);
  EXPECT_TRUE(drain().empty());
  run_until(12);  // the second conversation has come and gone
  EXPECT_GT(kv_.view().releasable_bytes, 0U);
  const Outcome outcome = kv_.apply(make(Verb::release));
  EXPECT_EQ(outcome.status, Status::done);
  EXPECT_GT(outcome.duration_us, 0U);
  EXPECT_EQ(kv_.view().resident_bytes, kv_.view().live_bytes);
}

TEST_F(SimPoolsTest, the_budget_holds_prompts_and_not_answers) {
  kv_.set_budget(640 * 64 * kKiB);
  run_until(5);
  EXPECT_EQ(engine_.live_tokens(), 0U);  // the prompt would pass it: not admitted
  EXPECT_EQ(engine_.full_bytes(), 1280 * 64 * kKiB);
  kv_.set_budget(std::nullopt);
  run_until(5.3);
  kv_.set_budget(640 * 64 * kKiB);
  run_until(8);
  EXPECT_LE(engine_.live_tokens(), 640U);  // the prefill pauses
  EXPECT_FALSE(engine_.is_busy());
  EXPECT_EQ(kv_.view().waiting_bytes, 128 * 64 * kKiB);  // one batch would go on
  kv_.set_budget(std::nullopt);
  run_until(9);
  kv_.set_budget(1);
  run_until(16);
  EXPECT_EQ(engine_.tokens_decoded(), 50U);  // an answer goes on
}

TEST_F(SimPoolsTest, scratch_comes_back_with_every_decode) {
  run_until(2);
  scratch_.apply(make(Verb::release));
  run_until(3);
  EXPECT_EQ(scratch_.view().resident_bytes, engine_.spec().scratch_bytes);
  EXPECT_EQ(scratch_.apply(make(Verb::trim)).errno_value, ENOTSUP);
}

TEST_F(SimPoolsTest, unknown_verbs_and_locked_pages_fail) {
  run_until(2);
  EXPECT_EQ(kv_.apply(make(Verb::spill)).status, Status::failed);
  EXPECT_EQ(kv_.apply(make(Verb::spill)).errno_value, ENOTSUP);
  kv_.set_refusing(true);
  const std::uint64_t resident = kv_.view().resident_bytes;
  kv_.apply(make(Verb::trim, 10 * kMiB));
  run_until(2.5);
  const Outcomes ended = drain();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].bytes_released, 0U);
  EXPECT_EQ(ended[0].errno_value, EINVAL);
  EXPECT_GE(kv_.view().resident_bytes, resident);
  EXPECT_GT(kv_.view().releasable_bytes, 9 * kMiB);
}

TEST_F(SimPoolsTest, a_release_takes_the_time_that_pages_take) {
  EngineSpec spec = make_spec();
  spec.bytes_per_token = 4 * kMiB;
  EngineModel engine(spec, {{.prompt_tokens = 256, .forgets = true}});
  KvSimPool kv(engine, now_us_);
  for (double t_s = 0; t_s < 2; t_s += 0.02) engine.advance(t_s, 0.02, 1, *this);
  ASSERT_EQ(kv.view().releasable_bytes, kGiB);  // 137 ms of work
  int parts = 1;
  while (kv.apply(make(Verb::release)).status == Status::more) ++parts;
  EXPECT_EQ(parts, 7);
  EXPECT_EQ(kv.view().resident_bytes, 0U);
}

class NoTrimTest : public SimPoolsTest {
 protected:
  static EngineSpec spec() {
    EngineSpec spec = make_spec();
    spec.trim = TrimRule::off;
    spec.kv_max_bytes = 1290 * spec.bytes_per_token;
    return spec;
  }
  NoTrimTest() : SimPoolsTest(spec()) {}
};

TEST_F(NoTrimTest, trimming_is_forbidden_and_the_cap_refuses_what_does_not_fit) {
  EXPECT_EQ(kv_.apply(make(Verb::trim)).errno_value, EPERM);
  EXPECT_EQ(kv_.view().trimmable_bytes, 0U);
  run_until(9);
  EXPECT_EQ(engine_.live_tokens(), 0U);  // prompt and answer together are over the cap
}

}  // namespace
}  // namespace kvpsi
