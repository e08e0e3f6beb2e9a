// SPDX-License-Identifier: MIT
// A real sliding-window model, Gemma 3 270M: 15 of its 18 layers see the last 512 tokens and keep
// their rows in a cache that reuses its cells, 3 see everything. What holds for one cache holds for
// the pair: giving memory back, or paging idle rows out and in, changes no bit of an answer, and
// what cannot be done is refused by name. Sequences here are longer than the window.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/gguf_file.h"
#include "support/memory_spill.h"
#include "tiny_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;

constexpr std::size_t kLong = 700;  // tokens; the window has 512
constexpr Kind kAlone{"alone"};
constexpr Kind kUnified{"unified", GGML_TYPE_F16, LLAMA_FLASH_ATTN_TYPE_AUTO, 2, true};
constexpr Kind kStreams{"streams", GGML_TYPE_F16, LLAMA_FLASH_ATTN_TYPE_AUTO, 2, false};

/// Null when the model file is absent. Loaded once, kept for the process.
llama_model* gemma() {
  static const Model model = [] {
    if (!std::filesystem::exists(KVPSI_GEMMA_MODEL)) return Model{};
    set_elastic(true);
    return load_model(KVPSI_GEMMA_MODEL);
  }();
  return model.get();
}

class WindowModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "one thread: nothing for ThreadSanitizer to see";
#endif
    if (gemma() == nullptr) {
      GTEST_SKIP() << "no model at " << KVPSI_GEMMA_MODEL << ": run make model-gemma";
    }
  }

  static Context make(const Kind& kind, bool elastic) {
    return make_context(gemma(), kind, 2048 * kind.sequences, elastic, 128);
  }

  std::vector<llama_token> some_tokens(std::size_t count) { return random_tokens(prng_, count); }

  Prng prng_{20260228};
};

/// In batches of at most 128 tokens.
void decode_all(llama_context* context, std::span<const llama_token> tokens, llama_seq_id seq) {
  for (; !tokens.empty(); tokens = tokens.subspan(std::min<std::size_t>(tokens.size(), 128))) {
    ASSERT_EQ(decode(context, tokens.first(std::min<std::size_t>(tokens.size(), 128)), seq), 0);
  }
}

std::span<const std::unique_ptr<KvPart>> parts_of(const Context& context) {
  return find_attached(context.get())->kv()->parts();
}

TEST_F(WindowModelTest, text_is_equal_while_memory_is_given_back_and_scratch_is_poisoned) {
  const std::vector<llama_token> prompt = some_tokens(kLong);
  const auto generate = [&prompt](llama_context* context, GovernedContext* governed) {
    std::vector<llama_token> text;
    decode_all(context, prompt, 0);
    for (int i = 0; i < 40; ++i) {
      const auto logits = logits_of(context, gemma());
      text.push_back(static_cast<llama_token>(std::ranges::max_element(logits) - logits.begin()));
      if (governed != nullptr && i % 5 == 0) {
        for (MemoryPool* pool : governed->pools()) release_all(*pool);
      } else if (governed != nullptr) {
        poison_scratch(context);
      }
      EXPECT_EQ(decode(context, {&text.back(), 1}), 0);
    }
    return text;
  };
  const Context stock = make(kAlone, false);
  const std::vector<llama_token> expected = generate(stock.get(), nullptr);
  const Context context = make(kAlone, true);
  const auto governed = GovernedContext::attach(gemma(), context.get(), {}).value();
  EXPECT_TRUE(governed->ungoverned().empty());
  EXPECT_TRUE(governed->self_check().ok);
  EXPECT_EQ(generate(context.get(), governed.get()), expected);
}

TEST_F(WindowModelTest, memory_follows_tokens_and_comes_back_in_both_caches) {
  const Context context = make(kAlone, true);
  const auto governed = GovernedContext::attach(gemma(), context.get(), {}).value();
  ASSERT_EQ(parts_of(context).size(), 2U);
  ASSERT_LT(parts_of(context)[1]->cells().total(), parts_of(context)[0]->cells().total());
  EXPECT_LT(governed->measure().kv_resident_bytes, kMiB / 4);
  decode_all(context.get(), some_tokens(kLong), 0);

  MemoryPool& kv = *pool_of(*governed, PoolKind::kv);
  release_all(kv);
  const ContextMemory full = governed->measure();
  EXPECT_GT(full.kv_live_bytes, 8 * kMiB);
  EXPECT_LT(full.kv_resident_bytes, full.kv_live_bytes + full.kv_live_bytes / 10);
  EXPECT_LT(full.kv_resident_bytes, full.kv_reserved_bytes);

  llama_memory_seq_rm(llama_get_memory(context.get()), 0, -1, -1);
  EXPECT_GT(release_all(kv), full.kv_resident_bytes * 9 / 10);
  EXPECT_LT(governed->measure().kv_resident_bytes, kMiB / 4);
  EXPECT_EQ(resident_without_need(context.get()), 0U);
}

class WindowSpillTest : public WindowModelTest, public ::testing::WithParamInterface<Kind> {
 protected:
  /// The same tokens for both contexts; whether the logits that follow are the same, bit for bit.
  void decode_both(std::size_t tokens, llama_seq_id seq) {
    const std::vector<llama_token> said = some_tokens(tokens);
    decode_all(stock_.get(), said, seq);
    decode_all(context_.get(), said, seq);
    ASSERT_TRUE(bit_equal(logits_of(stock_.get(), gemma()), logits_of(context_.get(), gemma())))
        << "sequence " << seq;
  }

  /// Cells of each cache whose rows are in the file.
  std::vector<std::uint64_t> cells_out() const {
    std::vector<std::uint64_t> out;
    for (const auto& part : parts_of(context_)) out.push_back(part->cells().out());
    return out;
  }

  Context stock_;
  Context context_;
};

Outcome act(MemoryPool& pool, Verb verb) {
  Outcome outcome;
  do {
    outcome = pool.apply(action_of(verb, 0));
  } while (outcome.status == Status::more);
  return outcome;
}

TEST_P(WindowSpillTest, an_idle_sequence_goes_out_and_comes_back_bit_for_bit) {
  const auto store = open_spill_file();
  ASSERT_TRUE(store) << describe(store.error());
  stock_ = make(GetParam(), false);
  context_ = make(GetParam(), true);
  const auto governed =
      GovernedContext::attach(gemma(), context_.get(), {.spill = store->get(), .spill_idle_us = 0})
          .value();
  MemoryPool& kv = *pool_of(*governed, PoolKind::kv);
  decode_both(kLong, 0);
  decode_both(kLong, 1);
  governed->pin(1, true);
  const std::uint64_t before = governed->measure().kv_resident_bytes;

  // Out, while another speaks on: in a shared cache it takes cells that have left the window of the
  // idle one, and whose rows are in the file.
  act(kv, Verb::spill);
  for (const std::uint64_t cells : cells_out()) EXPECT_GT(cells, 400U);
  EXPECT_LT(governed->measure().kv_resident_bytes, before * 6 / 10);
  EXPECT_EQ(resident_without_need(context_.get()), 0U);
  decode_both(100, 1);

  // Back because the sequence is decoded.
  decode_both(20, 0);
  EXPECT_EQ(cells_out(), (std::vector<std::uint64_t>{0, 0}));

  // Out again, and back because the governor says so.
  act(kv, Verb::spill);
  for (const std::uint64_t cells : cells_out()) EXPECT_GT(cells, 400U);
  act(kv, Verb::restore);
  EXPECT_EQ(cells_out(), (std::vector<std::uint64_t>{0, 0}));
  decode_both(1, 1);
  decode_both(1, 0);
  const ContextMemory end = governed->measure();
  EXPECT_GT(end.bytes_restored, 8 * kMiB);
  EXPECT_EQ(end.tokens_lost + end.tokens_reevaluated + end.tokens_trimmed, 0U);
}

INSTANTIATE_TEST_SUITE_P(Caches, WindowSpillTest, ::testing::Values(kUnified, kStreams),
                         [](const auto& kind) { return std::string(kind.param.name); });

/// Trimming takes nothing and is refused; that is said at attach to who counts on it.
void expect_never_trimmed(llama_model* model, llama_context* context, TrimMode mode) {
  test::MemorySpill store;
  const auto governed = GovernedContext::attach(model, context,
                                                {.trim = mode,
                                                 .keep = 4,
                                                 .tail = 8,
                                                 .min_prune = 1,
                                                 .trim_at_rest = true,
                                                 .spill = &store})
                            .value();
  std::vector<std::string> said;
  if (mode == TrimMode::eager) {
    said.emplace_back("a cache with a sliding window is released and spilled, never trimmed");
  }
  EXPECT_TRUE(std::ranges::equal(governed->ungoverned(), said));
  EXPECT_FALSE(governed->can_trim());
  MemoryPool& kv = *pool_of(*governed, PoolKind::kv);
  EXPECT_EQ(kv.view().trimmable_bytes, 0U);
  const std::uint64_t tokens = governed->sequence_tokens(0);
  const Outcome outcome = kv.apply(trim_of(1 << 20));
  EXPECT_EQ(outcome.status, Status::failed);
  EXPECT_EQ(outcome.errno_value, EPERM);
  EXPECT_EQ(governed->make_room(1 << 20), 0U);
  EXPECT_EQ(governed->sequence_tokens(0), tokens);
}

TEST_F(WindowModelTest, trimming_is_refused_by_name) {
  const Context context = make(kAlone, true);
  decode_all(context.get(), some_tokens(100), 0);
  expect_never_trimmed(gemma(), context.get(), TrimMode::eager);
  expect_never_trimmed(gemma(), context.get(), TrimMode::last_resort);
}

TEST(TinyWindowTest, trimming_is_refused_by_name) {
  const Context context = tiny_context(kTinyWindow, true);
  decode_all(context.get(), std::vector<llama_token>(20, 7), 0);
  expect_never_trimmed(tiny_model(kTinyWindow.window), context.get(), TrimMode::eager);
}

/// Decodes one token after the other as long as there is room, and returns how many.
std::uint64_t fill_up(llama_context* context, GovernedContext& governed) {
  std::uint64_t tokens = 0;
  const llama_token token = 7;
  for (; governed.kv_cells_left() > 0; ++tokens) {
    if (decode(context, {&token, 1}) != 0) return 0;
  }
  return tokens;
}

TEST(TinyWindowTest, the_cap_counts_the_rows_of_both_caches) {
  const Context context = tiny_context(kTinyWindow, true);
  llama_model* const model = tiny_model(kTinyWindow.window);
  std::uint64_t everything = 0;
  std::uint64_t window_bytes = 0;
  {
    const auto governed = GovernedContext::attach(model, context.get(), {}).value();
    for (const auto& part : parts_of(context)) {
      everything += part->cells().total() * part->bytes_per_cell();
      window_bytes = part->cells().total() * part->bytes_per_cell();
    }
  }
  // Below what the window's cache may come to, above it, and more than there is.
  for (const std::uint64_t cap : {window_bytes / 2, window_bytes + 20'000, 2 * everything}) {
    llama_memory_clear(llama_get_memory(context.get()), true);
    const auto governed =
        GovernedContext::attach(model, context.get(), {.kv_max_bytes = cap}).value();
    EXPECT_GT(fill_up(context.get(), *governed), 10U) << cap;
    const ContextMemory memory = governed->measure();
    EXPECT_LE(memory.kv_live_bytes, cap);
    EXPECT_GT(memory.kv_live_bytes, std::min(cap, everything) * 8 / 10);
  }
}

TEST_F(WindowModelTest, doctor_foretells_which_weights_become_anonymous) {
  const auto file = read_gguf_file(KVPSI_GEMMA_MODEL);
  ASSERT_TRUE(file) << describe(file.error());
  EXPECT_EQ(file->header.architecture, "gemma3");
  EXPECT_EQ(file->header.sliding_window, 512U);
  const Context context = make(kAlone, true);
  const auto governed = GovernedContext::attach(gemma(), context.get(), {}).value();
  const CpuVectors cpu{.avx2 = __builtin_cpu_supports("avx2") != 0,
                       .avx512 = __builtin_cpu_supports("avx512f") != 0};
  EXPECT_EQ(governed->weights().anon_bytes, expect_repacked_bytes(file->header, cpu));
}

}  // namespace
}  // namespace kvpsi
