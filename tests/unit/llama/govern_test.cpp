// SPDX-License-Identifier: MIT
// Attaching, trimming and who may do what, when: requests of a governor thread are served at safe
// points, nothing is lost, nothing is done twice, and what cannot be governed is named.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <map>
#include <thread>

#include "base/bytes.h"
#include "linux/pages.h"
#include "llama/kv_layout.h"
#include "model_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;

constexpr std::uint64_t kCellBytes = 23'040;
constexpr GovernOptions kEager{.trim = TrimMode::eager, .keep = 16, .tail = 32, .min_prune = 8};

class GovernTest : public ::testing::Test {
 protected:
  void SetUp() override { KVPSI_NEED_MODEL(); }

  void start(const GovernOptions& options, const Kind& kind = kPlain, bool elastic = true) {
    context_ = make_context(test_model(), kind, 512, elastic);
    governed_ = GovernedContext::attach(test_model(), context_.get(), options).value();
    kv_ = pool_of(*governed_, PoolKind::kv);
    ASSERT_NE(kv_, nullptr);
  }

  std::int32_t decode_some(std::size_t tokens, llama_seq_id seq = 0) {
    return decode(context_.get(), random_tokens(prng_, tokens), seq);
  }

  llama_pos last_position(llama_seq_id seq = 0) {
    return llama_memory_seq_pos_max(llama_get_memory(context_.get()), seq);
  }

  Prng prng_{11};
  Context context_;
  std::unique_ptr<GovernedContext> governed_;
  MemoryPool* kv_ = nullptr;
};

TEST_F(GovernTest, a_plain_context_is_wholly_governed_and_pages_come_back) {
  start({});
  EXPECT_TRUE(governed_->ungoverned().empty());
  EXPECT_EQ(governed_->pools().size(), 3u);
  ASSERT_EQ(decode_some(40), 0);
  const SelfCheck check = governed_->self_check();
  EXPECT_TRUE(check.ok) << check.what;
  EXPECT_EQ(check.bytes_returned, kMiB);
  EXPECT_FALSE(GovernedContext::attach(test_model(), context_.get(), {}));
  EXPECT_FALSE(GovernedContext::attach(test_model(), nullptr, {}));
}

TEST_F(GovernTest, every_wrap_on_the_way_of_a_decode_fires) {
  start({});
  const auto before = wraps_fired();
  ASSERT_EQ(decode_some(4), 0);
  llama_memory_seq_rm(llama_get_memory(context_.get()), 0, 2, -1);
  std::map<std::string_view, std::uint64_t> fired;
  const auto after = wraps_fired();
  for (std::size_t i = 0; i < kWrapCount; ++i) {
    fired[before[i].function] = after[i].calls - before[i].calls;
  }
  EXPECT_EQ(fired["llama_decode"], 1u);
  EXPECT_EQ(fired["ggml_backend_sched_graph_compute_async"], 1u);
  EXPECT_EQ(fired["llama_memory_seq_rm"], 1u);
  for (const WrapCount& count : after) {
    if (count.function == "ggml_backend_tensor_copy") continue;  // between streams only
    if (count.function.starts_with("ggml_") || count.function == "llama_init_from_model") {
      EXPECT_GT(count.calls, 0u) << count.function;
    }
  }
}

TEST_F(GovernTest, weights_of_a_mapped_model_are_file_backed) {
  start({});
  const WeightBytes weights = governed_->weights();
  EXPECT_GT(weights.file_bytes, 80 * kMiB);
  EXPECT_LT(weights.anon_bytes, kMiB);
  EXPECT_EQ(weights.device_bytes, 0u);
}

TEST_F(GovernTest, flash_attention_off_is_named) {
  start({}, kAllKinds[2]);
  ASSERT_EQ(governed_->ungoverned().size(), 1u);
  EXPECT_NE(governed_->ungoverned()[0].find("transposed"), std::string::npos);
}

TEST_F(GovernTest, with_elastic_off_it_only_watches) {
  start({}, kPlain, false);
  ASSERT_EQ(decode_some(40), 0);
  const PoolView view = kv_->view();
  EXPECT_EQ(view.resident_bytes, view.reserved_bytes);
  EXPECT_EQ(view.cells_live, 40u);
  EXPECT_EQ(view.releasable_bytes, 0u);
  EXPECT_GE(governed_->measure().kv_resident_bytes, 511 * kCellBytes);
  EXPECT_EQ(kv_->apply(release_of(PoolKind::kv)).errno_value, EPERM);
  EXPECT_FALSE(governed_->self_check().ok);
}

TEST_F(GovernTest, verbs_it_does_not_know_fail) {
  start({});
  EXPECT_EQ(kv_->apply({.verb = Verb::spill}).errno_value, ENOTSUP);
  EXPECT_EQ(kv_->apply(trim_of(1)).errno_value, EPERM);  // trim is off
  MemoryPool* const scratch = pool_of(*governed_, PoolKind::scratch);
  EXPECT_EQ(scratch->apply({.verb = Verb::trim, .pool = PoolKind::scratch}).errno_value, ENOTSUP);
  MemoryPool* const heap = pool_of(*governed_, PoolKind::heap);
  EXPECT_EQ(heap->apply({.verb = Verb::trim, .pool = PoolKind::heap}).errno_value, ENOTSUP);
  EXPECT_NE(heap->apply(release_of(PoolKind::heap)).status, Status::failed);
}

TEST_F(GovernTest, locked_memory_is_told_not_hidden) {
  start({});
  const KvLayout layout = read_kv_layout(cache_of(context_.get()), *test_model());
  void* const base = std::bit_cast<void*>(layout.buffers[0].begin);
  const std::size_t size = layout.buffers[0].end - layout.buffers[0].begin;
  if (mlock(base, size) != 0) GTEST_SKIP() << "may not lock " << size << " bytes";
  if (read_own_memory().value().locked_bytes < size) GTEST_SKIP() << "sanitizers ignore mlock";
  const SelfCheck check = governed_->self_check();
  EXPECT_FALSE(check.ok);
  EXPECT_NE(check.what.find("locked"), std::string::npos) << check.what;
  ASSERT_EQ(decode_some(40), 0);
  llama_memory_seq_rm(llama_get_memory(context_.get()), 0, -1, -1);
  const Outcome outcome = kv_->apply(release_of(PoolKind::kv));
  EXPECT_EQ(outcome.status, Status::failed);
  EXPECT_EQ(outcome.errno_value, EINVAL);
  governed_ = nullptr;
  governed_ = GovernedContext::attach(test_model(), context_.get(), {}).value();
  ASSERT_EQ(governed_->ungoverned().size(), 1u);
  EXPECT_NE(governed_->ungoverned()[0].find("mlock"), std::string::npos);
  munlock(base, size);
}

TEST_F(GovernTest, an_engine_at_rest_is_trimmed_at_once_where_the_host_allows_it) {
  GovernOptions options = kEager;
  options.trim_at_rest = true;
  start(options);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(decode_some(64), 0);
  const Outcome outcome = kv_->apply(trim_of(40 * kCellBytes, 5));
  EXPECT_EQ(outcome.status, Status::done);
  EXPECT_EQ(outcome.tokens_trimmed, 64u);
  EXPECT_GE(outcome.bytes_released, 60 * 384 * 32u);
  EXPECT_EQ(kv_->view().cells_live, 128u);
  ASSERT_EQ(decode_some(10), 0);  // positions continue behind the gap
  EXPECT_EQ(last_position(), 201);
}

TEST_F(GovernTest, a_trim_waits_for_the_next_decode_then_leaves_a_gap_and_gives_pages_back) {
  start(kEager);
  ASSERT_EQ(decode_some(64), 0);
  ASSERT_EQ(decode_some(64), 0);
  ASSERT_EQ(decode_some(64), 0);
  EXPECT_EQ(kv_->view().trimmable_bytes, (192 - 48) * kCellBytes);
  EXPECT_EQ(kv_->apply(trim_of(40 * kCellBytes, 5)).status, Status::queued);
  EXPECT_TRUE(drained(*kv_).empty());
  EXPECT_EQ(kv_->view().cells_live, 192u);

  ASSERT_EQ(decode_some(10), 0);  // positions continue behind the gap
  EXPECT_EQ(last_position(), 201);
  EXPECT_EQ(kv_->view().cells_live, 202u - 64u);  // 40 rounded up to whole pages: 64
  const auto ended = drained(*kv_);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].decision_id, 5u);
  EXPECT_EQ(ended[0].status, Status::done);
  EXPECT_EQ(ended[0].tokens_trimmed, 64u);
  EXPECT_GE(ended[0].bytes_released, 60 * 384 * 32u);
  EXPECT_EQ(governed_->measure().tokens_trimmed, 64u);
  EXPECT_EQ(governed_->measure().prunes, 1u);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(decode_some(1), 0);
}

TEST_F(GovernTest, trim_keeps_sinks_window_and_floor) {
  GovernOptions options = kEager;
  options.kv_min_bytes = 100 * kCellBytes;
  start(options);
  ASSERT_EQ(decode_some(64), 0);
  ASSERT_EQ(decode_some(64), 0);
  kv_->apply(trim_of(1000 * kCellBytes));
  ASSERT_EQ(decode_some(1), 0);
  EXPECT_EQ(kv_->view().cells_live, 101u);
  EXPECT_EQ(drained(*kv_).at(0).tokens_trimmed, 28u);
  kv_->apply(trim_of(1000 * kCellBytes));
  ASSERT_EQ(decode_some(1), 0);
  EXPECT_EQ(drained(*kv_).at(0).status, Status::nothing);
  const llama_kv_cells& cells = cache_of(context_.get()).get_cells(0);
  std::vector<llama_pos> positions;
  for (const auto& [position, cell] : cells.seq_pos_get(0)) positions.push_back(position);
  EXPECT_EQ(positions[15], 15);
  EXPECT_EQ(positions[16], 16 + 28);
  EXPECT_EQ(positions.back(), 129);
}

TEST_F(GovernTest, without_release_a_trim_leaves_the_pages) {
  GovernOptions options = kEager;
  options.release = false;
  start(options);
  ASSERT_EQ(decode_some(64), 0);
  ASSERT_EQ(decode_some(64), 0);
  const std::uint64_t before = governed_->measure().kv_resident_bytes;
  kv_->apply(trim_of(64 * kCellBytes));
  ASSERT_EQ(decode_some(1), 0);
  EXPECT_EQ(drained(*kv_).at(0).tokens_trimmed, 64u);
  EXPECT_GE(governed_->measure().kv_resident_bytes, before);
  EXPECT_EQ(kv_->view().releasable_bytes, 0u);
  EXPECT_EQ(kv_->apply(release_of(PoolKind::kv)).errno_value, EPERM);
}

TEST_F(GovernTest, cells_of_two_sequences_stay) {
  start(kEager, kAllKinds[3]);
  ASSERT_EQ(decode_some(64), 0);
  ASSERT_EQ(decode_some(64), 0);
  llama_memory_seq_cp(llama_get_memory(context_.get()), 0, 1, -1, -1);
  kv_->apply(trim_of(64 * kCellBytes));
  ASSERT_EQ(decode_some(1), 0);
  EXPECT_EQ(drained(*kv_).at(0).status, Status::nothing);
  EXPECT_EQ(kv_->view().cells_live, 129u);
  EXPECT_EQ(last_position(1), 127);
}

TEST_F(GovernTest, the_cap_is_kept_by_making_room) {
  GovernOptions options = kEager;
  options.kv_max_bytes = 150 * kCellBytes;
  start(options);
  EXPECT_EQ(governed_->kv_cells_left(), 150u);
  ASSERT_EQ(decode_some(64), 0);
  ASSERT_EQ(decode_some(64), 0);
  EXPECT_EQ(governed_->kv_cells_left(), 22u);
  EXPECT_EQ(governed_->make_room(22), 0u);
  EXPECT_EQ(governed_->make_room(64), 64u);
  EXPECT_EQ(governed_->kv_cells_left(), 86u);
  ASSERT_EQ(decode_some(64), 0);
}

TEST_F(GovernTest, a_full_queue_says_so) {
  start(kEager);
  int refused = 0;
  for (int i = 0; i < 12; ++i) {
    refused += kv_->apply(trim_of(kCellBytes)).errno_value == EAGAIN ? 1 : 0;
  }
  EXPECT_EQ(refused, 4);
}

TEST_F(GovernTest, pools_answer_nothing_once_the_context_is_gone) {
  start({});
  ASSERT_EQ(decode_some(40), 0);
  context_.reset();
  EXPECT_EQ(kv_->view().reserved_bytes, 0u);
  EXPECT_EQ(kv_->apply(release_of(PoolKind::kv)).status, Status::nothing);
  EXPECT_EQ(governed_->measure().kv_reserved_bytes, 0u);
  EXPECT_FALSE(governed_->self_check().ok);
}

class ConcurrencyTest : public GovernTest {
 protected:
  void SetUp() override { KVPSI_NEED_MODEL_UNDER_ANY_SANITIZER(); }
#ifdef __SANITIZE_THREAD__
  static constexpr int kDecodes = 12;
#else
  static constexpr int kDecodes = 40;
#endif
};

TEST_F(ConcurrencyTest, every_queued_action_of_a_concurrent_governor_ends_once) {
  start(kEager);
  std::atomic<bool> stop{false};
  std::uint64_t queued = 0;
  std::map<std::uint64_t, int> ended;
  const auto collect = [&ended](MemoryPool& pool) {
    for (const Outcome& outcome : drained(pool)) ++ended[outcome.decision_id];
  };
  std::thread governor([&] {
    std::uint64_t id = 0;
    while (!stop) {
      for (MemoryPool* pool : governed_->pools()) {
        const PoolView view = pool->view();
        EXPECT_LE(view.live_bytes, view.reserved_bytes);
        const Outcome outcome = pool->apply(release_of(pool->kind(), ++id));
        queued += outcome.status == Status::queued ? 1 : 0;
        collect(*pool);
      }
      queued += kv_->apply(trim_of(8 * kCellBytes, ++id)).status == Status::queued ? 1 : 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  for (int i = 0; i < kDecodes; ++i) {
    EXPECT_EQ(decode_some(1 + prng_.below(12)), 0);
    if (i % 6 == 5) {
      llama_memory_seq_rm(llama_get_memory(context_.get()), 0, last_position() - 20, -1);
    }
  }
  stop = true;
  governor.join();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(decode_some(1), 0);
    for (MemoryPool* pool : governed_->pools()) collect(*pool);
  }
  EXPECT_GT(queued, 0u);
  EXPECT_EQ(ended.size(), queued);
  for (const auto& [id, times] : ended) EXPECT_EQ(times, 1) << id;
}

}  // namespace
}  // namespace kvpsi
