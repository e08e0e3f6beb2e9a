// SPDX-License-Identifier: MIT
// Spill, restore, reversible trims and fault-in of the synthetic engine and its KV pool.
#include <gtest/gtest.h>

#include <cerrno>

#include "base/bytes.h"
#include "sim/sim_pools.h"

namespace kvpsi {
namespace {

/// Two conversations of 1,000 tokens that end within 9 s; the first comes back after 30 s.
class SimSpillTest : public testing::Test, public SafePointListener {
 protected:
  static EngineSpec make_spec(TrimRule trim) {
    EngineSpec spec;
    spec.bytes_per_token = 64 * kKiB;
    spec.tokens_per_s = 10;
    spec.prefill_tokens_per_s = 1280;
    spec.context_tokens = 4096;
    spec.trim = trim;
    return spec;
  }
  explicit SimSpillTest(TrimRule trim = TrimRule::last_resort)
      : engine_(make_spec(trim),
                {{.prompt_tokens = 990, .answer_tokens = 10, .pause_s = 30, .turns = 2},
                 {.prompt_tokens = 990, .answer_tokens = 10}}) {
    engine_.set_disk(&disk_);
    run_until(9);
  }
  void run_until(double t_s) {
    for (; t_s_ < t_s; t_s_ += 0.02) {
      now_us_ += 20'000;
      engine_.advance(t_s_, 0.02, 1, *this);
    }
  }
  void at_safe_point() override { kv_.serve(); }
  /// Asks until it is done; the engine is at rest.
  Outcome act(Verb verb, std::uint64_t bytes) {
    Outcome sum;
    for (int i = 0; i < 100; ++i) {
      const Outcome part = kv_.apply({.decision_id = 7,
                                      .verb = verb,
                                      .bytes = bytes - sum.bytes_released - sum.bytes_restored,
                                      .budget_us = 20'000});
      sum.status = part.status;
      sum.errno_value = part.errno_value;
      sum.bytes_released += part.bytes_released;
      sum.bytes_spilled += part.bytes_spilled;
      sum.bytes_restored += part.bytes_restored;
      sum.tokens_trimmed += part.tokens_trimmed;
      sum.tokens_restored += part.tokens_restored;
      sum.tokens_lost += part.tokens_lost;
      if (part.status != Status::more) break;
      run_until(t_s_ + 0.02);
    }
    return sum;
  }

  SimDisk disk_{DiskSpec{}};
  EngineModel engine_;
  std::uint64_t now_us_ = 1;
  double t_s_ = 0;
  KvSimPool kv_{engine_, now_us_, &disk_};
};

constexpr std::uint64_t kTokens1000 = 1000 * 64 * kKiB;

TEST_F(SimSpillTest, IdleRowsGoToDiskAndKeepTheirCells) {
  ASSERT_EQ(kv_.view().spillable_bytes, 2 * kTokens1000);
  const Outcome spilled = act(Verb::spill, 50 * kMiB);
  EXPECT_EQ(spilled.status, Status::done);
  EXPECT_EQ(spilled.bytes_released, 50 * kMiB);
  EXPECT_EQ(spilled.bytes_spilled, 50 * kMiB);
  const PoolView view = kv_.view();
  EXPECT_EQ(view.live_bytes, 2 * kTokens1000 - 50 * kMiB);
  EXPECT_EQ(view.resident_bytes, view.live_bytes);
  EXPECT_EQ(view.spilled_bytes, 50 * kMiB);
  EXPECT_EQ(view.trimmed_bytes, 0u);
  EXPECT_EQ(view.cells_live, 2000u);
  EXPECT_EQ(engine_.full_bytes(), 2 * kTokens1000);
}

TEST_F(SimSpillTest, AConversationThatWakesUpReadsItsRowsBack) {
  act(Verb::spill, 2 * kTokens1000);
  ASSERT_EQ(engine_.live_bytes(), 0u);
  run_until(50);
  EXPECT_EQ(engine_.turns_ended(), 3u);
  EXPECT_EQ(engine_.tokens_faulted(), 1000u);
  EXPECT_EQ(engine_.live_tokens(), 2000u) << "two turns of the first";
  EXPECT_EQ(engine_.paged_bytes(), kTokens1000) << "the second still sleeps";
  EXPECT_EQ(engine_.tokens_lost(), 0u);
}

TEST_F(SimSpillTest, WhatABrokenDiskKeepsIsComputedAgain) {
  act(Verb::spill, 2 * kTokens1000);
  disk_.set_broken(true);
  run_until(50);
  EXPECT_EQ(engine_.tokens_lost(), 1000u);
  EXPECT_EQ(engine_.tokens_prefilled(), 4u * 990 + 10) << "two prompts, a third, 1,000 again";
}

TEST_F(SimSpillTest, SpansComeBackBeforeIdleRows) {
  const Outcome trimmed = act(Verb::trim, 20 * kMiB);
  EXPECT_EQ(trimmed.tokens_trimmed, 320u);
  EXPECT_EQ(trimmed.tokens_lost, 0u);
  EXPECT_EQ(kv_.view().cells_live, 1680u);
  act(Verb::spill, 30 * kMiB);
  EXPECT_EQ(kv_.view().spilled_bytes, 50 * kMiB);
  EXPECT_EQ(kv_.view().trimmed_bytes, 20 * kMiB);
  const Outcome some = act(Verb::restore, 25 * kMiB);
  EXPECT_EQ(some.bytes_restored, 25 * kMiB);
  EXPECT_EQ(some.tokens_restored, 320u);
  EXPECT_EQ(kv_.view().trimmed_bytes, 0u);
  act(Verb::restore, kGiB);
  EXPECT_EQ(kv_.view().spilled_bytes, 0u);
  EXPECT_EQ(engine_.live_tokens(), 2000u);
}

TEST_F(SimSpillTest, WithoutRoomOnDiskNothingIsTrimmedAsALastResort) {
  disk_.set_full(true);
  EXPECT_EQ(kv_.view().trimmable_bytes, 0u);
  EXPECT_EQ(kv_.view().spillable_bytes, 0u);
  EXPECT_EQ(act(Verb::spill, kMiB).errno_value, ENOSPC);
  const Outcome trim = act(Verb::trim, kMiB);
  EXPECT_EQ(trim.status, Status::failed);
  EXPECT_EQ(trim.tokens_trimmed, 0u);
}

TEST_F(SimSpillTest, ADiskThatFailsIsNotUsedForAWhile) {
  disk_.set_broken(true);
  ASSERT_GT(kv_.view().spillable_bytes, 0u) << "nobody knows yet";
  EXPECT_EQ(act(Verb::spill, kMiB).errno_value, EIO);
  EXPECT_EQ(kv_.view().spillable_bytes, 0u);
  disk_.set_broken(false);
  run_until(t_s_ + 11);
  EXPECT_GT(kv_.view().spillable_bytes, 0u);
}

TEST_F(SimSpillTest, ARestoreFromABrokenDiskLosesABlockAndSaysSo) {
  act(Verb::spill, 30 * kMiB);
  disk_.set_broken(true);
  const Outcome lost = act(Verb::restore, 30 * kMiB);
  EXPECT_EQ(lost.status, Status::failed);
  EXPECT_EQ(lost.errno_value, EIO);
  EXPECT_EQ(lost.tokens_lost, 128u);
  EXPECT_EQ(kv_.view().spilled_bytes, 22 * kMiB);
}

TEST_F(SimSpillTest, ARestoreEndsWhenATrimIsAskedBehindIt) {
  act(Verb::spill, 100 * kMiB);
  while (!engine_.is_busy()) run_until(t_s_ + 0.02);  // the first one is at work again
  disk_.set_rate(1.0 * kMiB);
  EXPECT_EQ(kv_.apply({.decision_id = 8, .verb = Verb::restore, .bytes = 30 * kMiB}).status,
            Status::queued);
  run_until(t_s_ + 0.2);
  EXPECT_EQ(kv_.apply({.decision_id = 9, .verb = Verb::trim, .bytes = 64 * kKiB}).status,
            Status::queued);
  run_until(t_s_ + 0.5);
  Outcomes ended;
  kv_.drain(ended);
  ASSERT_FALSE(ended.empty());
  EXPECT_EQ(ended[0].decision_id, 8u);
  EXPECT_LT(ended[0].bytes_restored, 30 * kMiB);
}

class SimDropTest : public SimSpillTest {
 protected:
  SimDropTest() : SimSpillTest(TrimRule::eager) {}
};

TEST_F(SimDropTest, WhatNoFileTakesIsDroppedAndCounted) {
  disk_.set_full(true);
  const Outcome trim = act(Verb::trim, 20 * kMiB);
  EXPECT_EQ(trim.tokens_trimmed, 320u);
  EXPECT_EQ(trim.tokens_lost, 320u);
  EXPECT_EQ(engine_.tokens_lost(), 320u);
  EXPECT_EQ(kv_.view().spilled_bytes, 0u);
}

}  // namespace
}  // namespace kvpsi
