// SPDX-License-Identifier: MIT
// Memory follows tokens: what the page map says after creation, decoding, cutting and releasing,
// with huge pages allowed and forbidden, and what the pool's arithmetic says beside it.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <bit>
#include <cstdio>
#include <cstdlib>

#include "base/bytes.h"
#include "base/clock.h"
#include "linux/pages.h"
#include "llama/kv_layout.h"
#include "llama/release_slices.h"
#include "llama/wrap_counts.h"
#include "model_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;

/// Tokens that cost little: long batches of the same token.
void fill(llama_context* context, std::uint32_t tokens, llama_seq_id seq = 0) {
  const std::uint32_t chunk = llama_n_batch(context);
  const std::vector<llama_token> all(tokens, 1234);
  for (std::uint32_t at = 0; at < tokens; at += chunk) {
    const auto part = std::span(all).subspan(at, std::min(chunk, tokens - at));
    ASSERT_EQ(decode(context, part, seq), 0);
  }
}

void expect_near(std::uint64_t actual, std::uint64_t expected, std::uint64_t slack) {
  EXPECT_LE(actual, expected + slack);
  EXPECT_GE(actual + slack, expected);
}

/// Writes to every page, as decoding would.
void commit(std::span<const PageRange> ranges) {
  for (const PageRange& range : ranges) {
    for (std::uintptr_t at = range.begin; at < range.end; at += page_bytes()) {
      *std::bit_cast<volatile std::uint8_t*>(at) = 0;
    }
  }
}

/// Microseconds of one plain madvise a range.
std::uint64_t release_raw(std::span<const PageRange> ranges) {
  const std::uint64_t start = monotonic_us();
  for (const PageRange& range : ranges) {
    madvise(std::bit_cast<void*>(range.begin), range.bytes(), MADV_DONTNEED);
  }
  return monotonic_us() - start;
}

TEST(MemoryTest, counted_release_is_nearly_as_fast_as_plain_madvise) {
  KVPSI_NEED_MODEL();
  const Context context = make_context(test_model(), kPlain, 4096, true, 64);
  const KvLayout layout = read_kv_layout(cache_of(context.get()), *test_model());
  PageMap map(layout.layouts, layout.buffers, page_bytes());
  // As after a trim: 64 sinks and 320 recent tokens stay, 3,712 cells = 82 MiB go.
  const CellRun middle{64, 3776};
  const std::span<const CellRun> runs[] = {{&middle, 1}};
  const auto ranges = map.free_pages(runs);
  std::vector<double> ratios;
  std::uint64_t bytes = 0;
  std::uint64_t took_us = 0;
  for (int i = 0; i < 9; ++i) {
    commit(ranges);
    const std::uint64_t raw_us = release_raw(ranges);
    commit(ranges);
    const SliceRelease counted = release_in_slices(ranges, 0, 0);
    bytes = counted.bytes_released;
    took_us = counted.took_us;
    ratios.push_back(static_cast<double>(raw_us) / static_cast<double>(counted.took_us));
  }
  std::ranges::nth_element(ratios, ratios.begin() + 4);
  std::printf("[ numbers  ] %.1f MiB in %.1f ms; bytes a second / raw madvise, median: %.2f\n",
              to_mib(bytes), static_cast<double>(took_us) * 1e-3, ratios[4]);
  EXPECT_GT(bytes, 80 * kMiB);
  // The goal, 0.8, is a number for docs/measurements.md: a busy machine must not fail the build.
  EXPECT_GT(ratios[4], 0);
}

TEST(MemoryTest, resident_kv_follows_live_cells_and_falls_on_release) {
  KVPSI_NEED_MODEL();
  const Context context = make_context(test_model(), kPlain, 8192, true, 512);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  EXPECT_TRUE(governed->ungoverned().empty()) << governed->ungoverned().front();
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  EXPECT_LE(governed->measure().kv_resident_bytes, 512 * kKiB);
  EXPECT_LE(kv->view().resident_bytes, 512 * kKiB);

  fill(context.get(), 2000);
  const ContextMemory full = governed->measure();
  EXPECT_EQ(full.kv_cells_live, 2000u);
  EXPECT_EQ(full.kv_bytes_per_cell, 23'040u);
  const double ratio =
      static_cast<double>(full.kv_resident_bytes) / static_cast<double>(full.kv_live_bytes);
  std::printf("[ numbers  ] KV resident / live after 2,000 tokens: %.4f\n", ratio);
  EXPECT_LE(ratio, 1.05);
  expect_near(kv->view().resident_bytes, full.kv_resident_bytes, 512 * kKiB);
  EXPECT_EQ(kv->view().releasable_bytes, 0u);

  llama_memory_seq_rm(llama_get_memory(context.get()), 0, 64, 1744);
  const PoolView cut = kv->view();
  EXPECT_EQ(cut.cells_live, 320u);
  expect_near(cut.releasable_bytes, 1680 * 23'040u, 512 * kKiB);
  const Outcome outcome = kv->apply(release_of(PoolKind::kv, 9));
  EXPECT_EQ(outcome.decision_id, 9u);
  EXPECT_EQ(outcome.status, Status::done);
  const ContextMemory after = governed->measure();
  EXPECT_EQ(full.kv_resident_bytes - after.kv_resident_bytes, outcome.bytes_released);
  expect_near(after.kv_resident_bytes, 320 * 23'040u, 512 * kKiB);
  expect_near(kv->view().resident_bytes, after.kv_resident_bytes, 16 * kKiB);
  EXPECT_EQ(kv->view().releasable_bytes, 0u);
  EXPECT_EQ(kv->apply(release_of(PoolKind::kv)).status, Status::nothing);
  EXPECT_GE(governed->measure().kv_bytes_released, outcome.bytes_released);
}

TEST(MemoryTest, huge_pages_on_the_buffer_do_not_keep_pages_from_coming_back) {
  KVPSI_NEED_MODEL();
  const Context context = make_context(test_model(), kPlain, 4096, true, 256);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  const KvLayout layout = read_kv_layout(cache_of(context.get()), *test_model());
  const PageRange buffer = round_inwards(layout.buffers[0].begin, layout.buffers[0].end);
  if (madvise(std::bit_cast<void*>(buffer.begin), buffer.bytes(), MADV_HUGEPAGE) != 0) {
    GTEST_SKIP() << "this kernel has no transparent huge pages";
  }
  fill(context.get(), 300);
  llama_memory_seq_rm(llama_get_memory(context.get()), 0, 0, -1);
  const std::uint64_t before = governed->measure().kv_resident_bytes;
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  // The first release takes what rows were written to, its measurement finds the rest.
  for (int i = 0; i < 20 && kv->apply(release_of(PoolKind::kv)).status != Status::nothing; ++i) {
  }
  const std::uint64_t after = governed->measure().kv_resident_bytes;
  std::printf("[ numbers  ] with huge pages: %.1f MiB resident, %.1f MiB after release\n",
              to_mib(before), to_mib(after));
  EXPECT_GT(before, 300 * 23'040u);
  EXPECT_EQ(after, 0u);
  fill(context.get(), 10);
}

TEST(MemoryTest, scratch_comes_back_and_is_reported_by_measurement) {
  KVPSI_NEED_MODEL();
  const Context context = make_context(test_model(), kPlain, 1024, true, 256);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  MemoryPool* const scratch = pool_of(*governed, PoolKind::scratch);
  fill(context.get(), 256);
  const ContextMemory before = governed->measure();
  EXPECT_GT(before.scratch_resident_bytes, 2 * kMiB);
  EXPECT_GE(before.scratch_reserved_bytes, before.scratch_resident_bytes);
  const Outcome outcome = scratch->apply(release_of(PoolKind::scratch));
  EXPECT_EQ(outcome.status, Status::done);
  EXPECT_EQ(outcome.bytes_released, before.scratch_resident_bytes);
  EXPECT_EQ(governed->measure().scratch_resident_bytes, 0u);
  EXPECT_EQ(scratch->view().releasable_bytes, 0u);
  fill(context.get(), 1);
}

TEST(MemoryTest, scratch_that_is_not_used_for_a_while_is_idle) {
  KVPSI_NEED_MODEL();
  for (const bool is_long : {false, true}) {
    const Context context = make_context(test_model(), kPlain, 512, true, 128);
    const std::uint64_t idle_us = is_long ? 0 : std::uint64_t{1} << 60;
    const auto governed =
        GovernedContext::attach(test_model(), context.get(), {.scratch_idle_us = idle_us}).value();
    fill(context.get(), 128);
    const PoolView view = pool_of(*governed, PoolKind::scratch)->view();
    EXPECT_GT(view.releasable_bytes, kMiB);
    EXPECT_EQ(view.idle_bytes, is_long ? view.releasable_bytes : 0);
  }
}

TEST(MemoryTest, clearing_the_cache_commits_nothing) {
  KVPSI_NEED_MODEL();
  const Context context = make_context(test_model(), kPlain, 2048, true, 64);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  fill(context.get(), 100);
  llama_memory_clear(llama_get_memory(context.get()), true);
  EXPECT_LE(governed->measure().kv_resident_bytes, 512 * kKiB);
  EXPECT_LE(pool_of(*governed, PoolKind::kv)->view().resident_bytes, 512 * kKiB);
}

TEST(MemoryTest, a_shift_commits_the_cache_and_a_release_takes_it_back) {
  KVPSI_NEED_MODEL();
  const Context context = make_context(test_model(), kPlain, 2048, true, 64);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  fill(context.get(), 100);
  llama_memory_t memory = llama_get_memory(context.get());
  llama_memory_seq_rm(memory, 0, 10, 50);
  llama_memory_seq_add(memory, 0, 50, -1, -40);
  fill(context.get(), 1);
  const std::uint64_t shifted = governed->measure().kv_resident_bytes;
  EXPECT_GT(shifted, 20 * kMiB);  // K of all cells
  expect_near(kv->view().resident_bytes, shifted, kMiB);
  EXPECT_EQ(kv->apply(release_of(PoolKind::kv)).status, Status::done);
  EXPECT_LE(governed->measure().kv_resident_bytes, 61 * 23'040u + kMiB);
}

TEST(MemoryTest, a_copied_stream_is_not_released_before_it_was_copied) {
  KVPSI_NEED_MODEL();
  const Kind& streams = kAllKinds[4];
  const Context stock = make_context(test_model(), streams, 1024, false);
  const Context context = make_context(test_model(), streams, 1024, true);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  Prng prng(3);
  const auto tokens = random_tokens(prng, 40);
  for (llama_context* each : {stock.get(), context.get()}) {
    ASSERT_EQ(decode(each, tokens), 0);
    llama_memory_seq_cp(llama_get_memory(each), 0, 1, -1, -1);
    llama_memory_seq_rm(llama_get_memory(each), 0, -1, -1);  // free, but still to be copied
    if (each == context.get()) {
      EXPECT_EQ(kv->apply(release_of(PoolKind::kv)).status, Status::more);
    }
    ASSERT_EQ(decode(each, {tokens.data(), 1}, 1), 0);
  }
  EXPECT_TRUE(
      bit_equal(logits_of(stock.get(), test_model()), logits_of(context.get(), test_model())));
  EXPECT_GT(calls_of(Wrap::ggml_backend_tensor_copy), 0u);
  EXPECT_LE(governed->measure().kv_resident_bytes, 41 * 23'040u + kMiB)
      << "neither the whole stream of 512 cells nor what was copied and is free";
  EXPECT_EQ(kv->view().releasable_bytes / kMiB, 0u) << "and no more is told of";
  EXPECT_EQ(kv->apply(release_of(PoolKind::kv)).bytes_released / kMiB, 0u);
}

/// Not a test of its own: the child of the next one.
TEST(HwmChild, DISABLED_creates_a_context) {
  KVPSI_NEED_MODEL();
  const char* const n_ctx = std::getenv("KVPSI_CHILD_CTX");
  ASSERT_NE(n_ctx, nullptr);
  const Context context = make_context(test_model(), kPlain,
                                       static_cast<std::uint32_t>(std::strtoul(n_ctx, nullptr, 10)),
                                       std::getenv("KVPSI_CHILD_STOCK") == nullptr, 256);
  ASSERT_TRUE(context);
  fill(context.get(), 16);
  std::printf("hwm=%llu\n", static_cast<unsigned long long>(hwm_bytes().value()));
}

std::uint64_t child_hwm(const std::string& settings) {
  const std::string command =
      settings + " /proc/" + std::to_string(getpid()) +
      "/exe --gtest_also_run_disabled_tests --gtest_filter='HwmChild.*' 2>/dev/null";
  FILE* const child = popen(command.c_str(), "r");
  unsigned long long hwm = 0;
  char line[256];
  while (child != nullptr && std::fgets(line, sizeof line, child) != nullptr) {
    std::sscanf(line, "hwm=%llu", &hwm);
  }
  if (child != nullptr) pclose(child);
  return hwm;
}

TEST(MemoryTest, peak_memory_does_not_depend_on_the_context_size) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's shadow memory grows with every buffer";
#endif
  KVPSI_NEED_MODEL();
  const std::uint64_t small = child_hwm("KVPSI_CHILD_CTX=512");
  const std::uint64_t big = child_hwm("KVPSI_CHILD_CTX=32768");
  const std::uint64_t stock = child_hwm("KVPSI_CHILD_STOCK=1 KVPSI_CHILD_CTX=32768");
  ASSERT_GT(small, 0u);
  ASSERT_GT(big, 0u);
  std::printf("[ numbers  ] VmHWM -c 512: %.1f MiB, -c 32768: %.1f MiB (%+.1f), stock: %.1f MiB\n",
              to_mib(small), to_mib(big), to_mib(big) - to_mib(small), to_mib(stock));
  EXPECT_LE(big, small + 6 * kMiB);
  EXPECT_GT(stock, big + 500 * kMiB);
}

}  // namespace
}  // namespace kvpsi
