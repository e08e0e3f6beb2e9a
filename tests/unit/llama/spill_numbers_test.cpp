// SPDX-License-Identifier: MIT
// Numbers for docs/measurements.md, of the real model and a real disk; they take minutes, so they
// run on request: unit_llama --gtest_also_run_disabled_tests --gtest_filter='SpillNumbers*'.
// What a test expects here is far from what is measured: a busy machine is no failure.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "base/bytes.h"
#include "base/clock.h"
#include "tiny_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;

constexpr Kind kTenants{"tenants", GGML_TYPE_F16, LLAMA_FLASH_ATTN_TYPE_AUTO, 4, true};
constexpr std::uint32_t kTokens = 1500;

double seconds_since(std::uint64_t start_us) {
  return static_cast<double>(monotonic_us() - start_us) * 1e-6;
}

/// Batches of 512 tokens in all, `each` of a sequence in turn.
void fill(llama_context* context, std::uint32_t sequences, std::uint32_t tokens,
          std::uint32_t each) {
  llama_batch batch = llama_batch_init(512, 0, 1);
  std::vector<llama_pos> next(sequences);
  Prng prng(1);
  for (std::uint32_t seq = 0; next.back() < static_cast<llama_pos>(tokens);
       seq = (seq + 1) % sequences) {
    for (std::uint32_t i = 0; i < each && next[seq] < static_cast<llama_pos>(tokens); ++i) {
      const std::int32_t at = batch.n_tokens++;
      batch.token[at] = static_cast<llama_token>(1000 + prng.below(20000));
      batch.pos[at] = next[seq]++;
      batch.n_seq_id[at] = 1;
      batch.seq_id[at][0] = static_cast<llama_seq_id>(seq);
      batch.logits[at] = 0;
      if (batch.n_tokens < 512) continue;
      ASSERT_EQ(llama_decode(context, batch), 0);
      batch.n_tokens = 0;
    }
  }
  if (batch.n_tokens > 0) {
    ASSERT_EQ(llama_decode(context, batch), 0);
  }
  llama_batch_free(batch);
}

Outcome act(MemoryPool& pool, Verb verb, std::uint64_t bytes = 0) {
  Outcome sum;
  Status status = Status::more;
  while (status == Status::more) {
    const Outcome outcome = pool.apply(action_of(verb, bytes));
    sum.bytes_released += outcome.bytes_released;
    sum.bytes_restored += outcome.bytes_restored;
    status = outcome.status;
  }
  return sum;
}

GovernOptions with_file(SpillStore& store) {
  return {.trim = TrimMode::last_resort,
          .keep = 64,
          .tail = 336,
          .trim_at_rest = true,
          .spill = &store,
          .spill_idle_us = 0};
}

class SpillNumbers : public ::testing::Test {
  void SetUp() override { KVPSI_NEED_MODEL(); }

 protected:
  std::unique_ptr<GovernedContext> govern(llama_context* context) {
    return GovernedContext::attach(test_model(), context, with_file(*store_)).value();
  }
  std::unique_ptr<SpillFile> store_ = *open_spill_file();
};

/// Three of four tenants are idle; what share of their KV comes back?
void measure_tenants(GovernedContext& governed, const char* what) {
  MemoryPool& kv = *pool_of(governed, PoolKind::kv);
  governed.pin(0, true);
  const ContextMemory before = governed.measure();
  const double idle = static_cast<double>(before.kv_live_bytes) * 3 / 4;
  std::uint64_t start = monotonic_us();
  act(kv, Verb::spill);
  const double spill_s = seconds_since(start);
  const ContextMemory spilled = governed.measure();
  start = monotonic_us();
  act(kv, Verb::compact);
  const double compact_s = seconds_since(start);
  const ContextMemory packed = governed.measure();
  const auto share = [&](const ContextMemory& now) {
    return static_cast<double>(before.kv_resident_bytes - now.kv_resident_bytes) / idle;
  };
  std::printf(
      "[ numbers  ] %s: KV %.1f MiB, of the idle %.1f MiB returned by spilling %.1f %% "
      "(%.2f s), with packing %.1f %% (%.3f s)\n",
      what, to_mib(before.kv_resident_bytes), idle / kMiB, 100 * share(spilled), spill_s,
      100 * share(packed), compact_s);
  EXPECT_GT(share(packed), 0.9);
}

TEST_F(SpillNumbers, DISABLED_idle_tenants) {
  for (const std::uint32_t each : {kTokens, 128U, 1U}) {
    const Context context = make_context(test_model(), kTenants, 8192, true, 512);
    const auto governed = govern(context.get());
    ASSERT_NO_FATAL_FAILURE(fill(context.get(), 4, kTokens, each));
    const std::string what =
        each == kTokens ? "prompts one after the other" : "in turns of " + std::to_string(each);
    measure_tenants(*governed, what.c_str());
  }
}

TEST_F(SpillNumbers, DISABLED_restore_against_prefill) {
  const Context context = make_context(test_model(), kPlain, 4096, true, 512);
  const auto governed = govern(context.get());
  MemoryPool& kv = *pool_of(*governed, PoolKind::kv);
  std::uint64_t start = thread_cpu_us();  // the disk's time is wall time, the prefill's is not
  ASSERT_NO_FATAL_FAILURE(fill(context.get(), 1, 2000, 2000));
  const double prefill_s = static_cast<double>(thread_cpu_us() - start) * 1e-6;
  for (int i = 0; i < 5; ++i) {
    start = monotonic_us();
    act(kv, Verb::spill);
    const double spill_s = seconds_since(start);
    start = monotonic_us();
    const Outcome back = act(kv, Verb::restore);
    const double restore_s = seconds_since(start);
    std::printf(
        "[ numbers  ] 2,000 tokens, %.1f MiB: prefill %.2f s of CPU, spill %.3f s, restore %.3f s: "
        "%.0f times faster\n",
        to_mib(back.bytes_restored), prefill_s, spill_s, restore_s, prefill_s / restore_s);
    EXPECT_GT(prefill_s / restore_s, 1);
  }
}

double decode_seconds(llama_context* context, int tokens) {
  const std::uint64_t start = monotonic_us();
  const llama_token token = 1234;
  for (int i = 0; i < tokens; ++i) EXPECT_EQ(decode(context, {&token, 1}), 0);
  return seconds_since(start);
}

TEST_F(SpillNumbers, DISABLED_trim_to_a_tenth_and_pack) {
  const Context context = make_context(test_model(), kPlain, 8192, true, 512);
  const auto governed = govern(context.get());
  MemoryPool& kv = *pool_of(*governed, PoolKind::kv);
  ASSERT_NO_FATAL_FAILURE(fill(context.get(), 1, 4000, 4000));
  act(kv, Verb::trim);
  const ContextMemory trimmed = governed->measure();
  const auto ratio = [](const ContextMemory& m) {
    return static_cast<double>(m.kv_resident_bytes) / static_cast<double>(m.kv_live_bytes);
  };
  const Context fresh = make_context(test_model(), kPlain, 8192, true, 512);
  ASSERT_NO_FATAL_FAILURE(
      fill(fresh.get(), 1, static_cast<std::uint32_t>(trimmed.kv_cells_live), 4000));
  decode_seconds(context.get(), 2);  // the first after a trim packs what it left
  act(kv, Verb::compact);
  const ContextMemory packed = governed->measure();
  std::printf("[ numbers  ] 4,000 tokens trimmed to %llu: resident / live %.3f, packed %.3f\n",
              static_cast<unsigned long long>(trimmed.kv_cells_live), ratio(trimmed),
              ratio(packed));
  std::vector<double> ratios;
  for (int i = 0; i < 15; ++i) {
    const bool first = i % 2 == 0;
    const double a = decode_seconds(first ? context.get() : fresh.get(), 8);
    const double b = decode_seconds(first ? fresh.get() : context.get(), 8);
    ratios.push_back(first ? b / a : a / b);
  }
  std::ranges::nth_element(ratios, ratios.begin() + 7);
  std::printf("[ numbers  ] speed after trim and packing / fresh, median of 15 pairs: %.3f\n",
              ratios[7]);
  EXPECT_GT(ratios[7], 0.3);
}

double log_sum(std::span<const float> logits) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit});
  return std::log(sum);
}

/// Rows come back bit for bit but into other cells; what that does to the words.
TEST_F(SpillNumbers, DISABLED_distance_after_trim_restore_and_pack) {
  const Context untouched = make_context(test_model(), kPlain, 2048, true, 512);
  const Context context = make_context(test_model(), kPlain, 2048, true, 512);
  const auto governed = govern(context.get());
  MemoryPool& kv = *pool_of(*governed, PoolKind::kv);
  for (llama_context* const c : {untouched.get(), context.get()}) {
    ASSERT_NO_FATAL_FAILURE(fill(c, 1, 1000, 1000));
  }
  act(kv, Verb::trim);
  decode_seconds(context.get(), 1);  // packs; the same token goes to the other
  decode_seconds(untouched.get(), 1);
  act(kv, Verb::restore);
  act(kv, Verb::compact);
  ASSERT_EQ(governed->measure().tokens_restored, governed->measure().tokens_trimmed);
  Prng prng(4);
  double divergence = 0;
  int same = 0;
  constexpr int kSteps = 100;
  for (int i = 0; i < kSteps; ++i) {
    const std::vector<llama_token> token = random_tokens(prng, 1);
    ASSERT_EQ(decode(untouched.get(), token), 0);
    ASSERT_EQ(decode(context.get(), token), 0);
    const auto a = logits_of(untouched.get(), test_model());
    const auto b = logits_of(context.get(), test_model());
    same += std::ranges::max_element(a) - a.begin() == std::ranges::max_element(b) - b.begin();
    const double sum_a = log_sum(a);
    const double sum_b = log_sum(b);
    for (std::size_t t = 0; t < a.size(); ++t) {
      const double log_p = double{a[t]} - sum_a;
      divergence += std::exp(log_p) * (log_p - (double{b[t]} - sum_b)) / kSteps;
    }
  }
  std::printf("[ numbers  ] against the untouched run, %d tokens: KLD %.2e, top-1 %d\n", kSteps,
              divergence, same);
  EXPECT_GT(same, kSteps / 2);
}

}  // namespace
}  // namespace kvpsi
