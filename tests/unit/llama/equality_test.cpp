// SPDX-License-Identifier: MIT
// Giving memory back never changes a result: logits of a governed context are bit-equal to those
// of stock llama.cpp under the same calls, for every kind of cache, with pages released and scratch
// discarded at random moments, and with scratch poisoned between decodes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "linux/pages.h"
#include "llama/kv_cells.h"
#include "llama/kv_layout.h"
#include "model_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;

std::uint64_t seed_of_run() {
  const char* const given = std::getenv("KVPSI_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20250101;
}

/// The same random calls to llama.cpp for two contexts: extend, cut a tail, cut a middle, drop all.
class Script {
 public:
  Script(const Kind& kind, std::uint64_t seed) : kind_(kind), prng_(seed) {}

  struct Step {
    llama_seq_id seq = 0;
    llama_pos cut_from = -1, cut_to = -1;  // cut_from < 0: nothing is cut
    std::vector<llama_token> tokens;
  };

  Step next(llama_context* context) {
    Step step;
    step.seq = static_cast<llama_seq_id>(prng_.below(kind_.sequences));
    const llama_pos last = llama_memory_seq_pos_max(llama_get_memory(context), step.seq);
    const std::uint64_t dice = prng_.below(10);
    if (last > 60 && dice < 3) {
      step.cut_from = static_cast<llama_pos>(prng_.below(static_cast<std::uint64_t>(last)));
      step.cut_to = dice == 0 ? -1 : std::min<llama_pos>(last, step.cut_from + 40);
    }
    if (last > 170) step.cut_from = 0, step.cut_to = dice < 5 ? -1 : last - 10;
    step.tokens = random_tokens(prng_, dice < 6 ? 1 : 1 + prng_.below(24));
    return step;
  }

 private:
  const Kind kind_;
  Prng prng_;
};

std::int32_t play(llama_context* context, const Script::Step& step) {
  if (step.cut_from >= 0) {
    llama_memory_seq_rm(llama_get_memory(context), step.seq, step.cut_from, step.cut_to);
  }
  return decode(context, step.tokens, step.seq);
}

/// Bytes in memory on pages that hold no live cell.
std::uint64_t resident_on_free_pages(llama_context* context) {
  const KvLayout layout = read_kv_layout(cache_of(context), *test_model());
  PageMap map(layout.layouts, layout.buffers, page_bytes());
  KvCells cells(cache_of(context));
  return resident_exclusive_bytes(map.free_pages(cells.all_free_runs())).value();
}

class EqualityTest : public ::testing::TestWithParam<Kind> {
  void SetUp() override { KVPSI_NEED_MODEL(); }
};

TEST_P(EqualityTest, logits_are_bit_equal_after_releases_at_random_moments) {
  const Kind kind = GetParam();
  const Context stock = make_context(test_model(), kind, 512, false);
  const Context context = make_context(test_model(), kind, 512, true);
  ASSERT_TRUE(stock && context);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  MemoryPool* const kv = pool_of(*governed, PoolKind::kv);
  MemoryPool* const scratch = pool_of(*governed, PoolKind::scratch);
  ASSERT_TRUE(kv != nullptr && scratch != nullptr);

  Script script(kind, seed_of_run());
  Prng moments(seed_of_run() + 1);
  std::uint64_t released = 0;
  for (int i = 0; i < 36; ++i) {
    const Script::Step step = script.next(stock.get());
    ASSERT_EQ(play(stock.get(), step), 0);
    ASSERT_EQ(play(context.get(), step), 0);
    ASSERT_TRUE(
        bit_equal(logits_of(stock.get(), test_model()), logits_of(context.get(), test_model())))
        << "step " << i << ", seed " << seed_of_run();
    if (moments.below(3) == 0) {
      released += release_all(*kv);
      EXPECT_EQ(resident_on_free_pages(context.get()), 0u) << "step " << i;
    }
    if (moments.below(3) == 0) scratch->apply(release_of(PoolKind::scratch));
  }
  EXPECT_GT(released, 1'000'000u);
}

INSTANTIATE_TEST_SUITE_P(AllKinds, EqualityTest, ::testing::ValuesIn(kAllKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

void expect_poison_changes_nothing(llama_model* model, const Kind& kind) {
  const Context stock = make_context(model, kind, 256, false, 32);
  const Context context = make_context(model, kind, 256, true, 32);
  ASSERT_TRUE(stock && context);
  Script script(kind, seed_of_run());
  for (int i = 0; i < 12; ++i) {
    const Script::Step step = script.next(stock.get());
    ASSERT_EQ(play(stock.get(), step), 0);
    poison_scratch(context.get());
    ASSERT_EQ(play(context.get(), step), 0);
    ASSERT_TRUE(bit_equal(logits_of(stock.get(), model), logits_of(context.get(), model)))
        << "step " << i;
  }
}

class PoisonTest : public ::testing::TestWithParam<Kind> {
  void SetUp() override { KVPSI_NEED_MODEL(); }
};

TEST_P(PoisonTest, scratch_full_of_nan_between_decodes_changes_nothing) {
  expect_poison_changes_nothing(test_model(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Kinds, PoisonTest,
                         ::testing::Values(kAllKinds[0], kAllKinds[1], kAllKinds[2]),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(RepackedModelTest, weights_are_anonymous_and_poisoned_scratch_changes_nothing) {
  KVPSI_NEED_MODEL();
  const auto path =
      std::filesystem::temp_directory_path() / ("kvpsi-q4_0-" + std::to_string(getpid()) + ".gguf");
  const auto made = requantize_model(KVPSI_TEST_MODEL, path.string(), "q4_0");
  ASSERT_TRUE(made) << describe(made.error());
  {
    const Model model = load_model(path.string());
    ASSERT_TRUE(model);
    expect_poison_changes_nothing(model.get(), kPlain);
    const Context context = make_context(model.get(), kPlain, 256, true, 32);
    const auto governed = GovernedContext::attach(model.get(), context.get(), {}).value();
    EXPECT_GT(governed->weights().anon_bytes, 20'000'000u);
  }
  std::filesystem::remove(path);
  EXPECT_FALSE(requantize_model(KVPSI_TEST_MODEL, path.string(), "q9_9"));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(GreedyTest, text_is_equal_over_500_tokens) {
  KVPSI_NEED_MODEL();
  Prng prng(7);
  const std::vector<llama_token> prompt = random_tokens(prng, 60);
  const auto generate = [&prompt](llama_context* context, GovernedContext* governed) {
    std::vector<llama_token> text;
    EXPECT_EQ(decode(context, prompt), 0);
    for (int i = 0; i < 500; ++i) {
      const auto logits = logits_of(context, test_model());
      text.push_back(static_cast<llama_token>(std::ranges::max_element(logits) - logits.begin()));
      if (governed != nullptr && i % 7 == 0) {
        for (MemoryPool* pool : governed->pools()) pool->apply(release_of(pool->kind()));
      }
      EXPECT_EQ(decode(context, {&text.back(), 1}), 0);
    }
    return text;
  };
  const Context stock = make_context(test_model(), kPlain, 768, false);
  const std::vector<llama_token> expected = generate(stock.get(), nullptr);
  const Context context = make_context(test_model(), kPlain, 768, true);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  EXPECT_EQ(generate(context.get(), governed.get()), expected);
}

}  // namespace
}  // namespace kvpsi
