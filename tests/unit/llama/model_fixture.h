// SPDX-License-Identifier: MIT
// What the tests of src/llama share: the test model, loaded once, contexts of every kind, and
// decoding helpers. A test without its model is skipped and says so.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/prng.h"
#include "ggml-backend.h"
#include "llama-kv-cache.h"
#include "llama.h"
#include "llama/buffer_registry.h"
#include "llama/elastic.h"

namespace kvpsi::testing {

struct ModelFree {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
using Model = std::unique_ptr<llama_model, ModelFree>;

struct ContextFree {
  void operator()(llama_context* context) const { llama_free(context); }
};
using Context = std::unique_ptr<llama_context, ContextFree>;

inline Model load_model(const std::string& path) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_backend_init();
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = 0;
  return Model(llama_model_load_from_file(path.c_str(), params));
}

/// Null when the model file is absent. Loaded once, under set_elastic(true), kept for the process.
inline llama_model* test_model() {
  static const Model model = [] {
    if (!std::filesystem::exists(KVPSI_TEST_MODEL)) return Model{};
    set_elastic(true);
    return load_model(KVPSI_TEST_MODEL);
  }();
  return model.get();
}

#define KVPSI_NEED_MODEL_UNDER_ANY_SANITIZER()   \
  if (::kvpsi::testing::test_model() == nullptr) \
  GTEST_SKIP() << "no model at " << KVPSI_TEST_MODEL << ": run scripts/fetch.sh model"

// A token takes most of a second under ThreadSanitizer, which sees nothing in one thread.
#ifdef __SANITIZE_THREAD__
#define KVPSI_NEED_MODEL() GTEST_SKIP() << "one thread: nothing for ThreadSanitizer to see"
#else
#define KVPSI_NEED_MODEL() KVPSI_NEED_MODEL_UNDER_ANY_SANITIZER()
#endif

/// One kind of context.
struct Kind {
  const char* name;
  ggml_type type = GGML_TYPE_F16;
  llama_flash_attn_type flash = LLAMA_FLASH_ATTN_TYPE_AUTO;
  std::uint32_t sequences = 1;
  bool unified = true;
};
inline void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

inline constexpr Kind kPlain{"f16"};
inline constexpr Kind kAllKinds[] = {
    kPlain,
    {"q8_0", GGML_TYPE_Q8_0, LLAMA_FLASH_ATTN_TYPE_ENABLED},
    {"no_flash_attention", GGML_TYPE_F16, LLAMA_FLASH_ATTN_TYPE_DISABLED},
    {"unified_2_sequences", GGML_TYPE_F16, LLAMA_FLASH_ATTN_TYPE_AUTO, 2, true},
    {"streams_2_sequences", GGML_TYPE_F16, LLAMA_FLASH_ATTN_TYPE_AUTO, 2, false},
};

/// A context with one thread; elastic or as stock llama.cpp has it. A sliding window's own cache is
/// as small as the window allows.
inline Context make_context(llama_model* model, const Kind& kind, std::uint32_t n_ctx, bool elastic,
                            std::uint32_t n_batch = 64) {
  set_elastic(elastic);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = n_ctx;
  params.n_batch = n_batch;
  params.n_ubatch = n_batch;
  params.n_seq_max = kind.sequences;
  params.n_threads = params.n_threads_batch = 1;
  params.type_k = params.type_v = kind.type;
  params.flash_attn_type = kind.flash;
  params.kv_unified = kind.unified;
  params.swa_full = false;
  params.offload_kqv = false;
  params.no_perf = true;
  return Context(llama_init_from_model(model, params));
}

inline const llama_kv_cache& cache_of(llama_context* context) {
  return dynamic_cast<const llama_kv_cache&>(*llama_get_memory(context));
}

/// Decodes the tokens at the end of the sequence; logits of the last one. Returns llama's result.
inline std::int32_t decode(llama_context* context, std::span<const llama_token> tokens,
                           llama_seq_id seq = 0) {
  llama_batch batch = llama_batch_init(static_cast<std::int32_t>(tokens.size()), 0, 1);
  llama_pos position = llama_memory_seq_pos_max(llama_get_memory(context), seq) + 1;
  for (const llama_token token : tokens) {
    const auto i = batch.n_tokens++;
    batch.token[i] = token;
    batch.pos[i] = position++;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = seq;
    batch.logits[i] = batch.n_tokens == static_cast<std::int32_t>(tokens.size());
  }
  const std::int32_t result = llama_decode(context, batch);
  llama_batch_free(batch);
  return result;
}

inline std::vector<llama_token> random_tokens(Prng& prng, std::size_t count) {
  std::vector<llama_token> tokens(count);
  for (llama_token& token : tokens) token = static_cast<llama_token>(1000 + prng.below(20000));
  return tokens;
}

inline std::span<const float> logits_of(llama_context* context, const llama_model* model) {
  const std::int32_t size = llama_vocab_n_tokens(llama_model_get_vocab(model));
  return {llama_get_logits_ith(context, -1), static_cast<std::size_t>(size)};
}

inline bool bit_equal(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

inline MemoryPool* pool_of(GovernedContext& governed, PoolKind kind) {
  const auto pools = governed.pools();
  const auto found =
      std::ranges::find_if(pools, [kind](const MemoryPool* pool) { return pool->kind() == kind; });
  return found == pools.end() ? nullptr : *found;
}

inline Action release_of(PoolKind kind, std::uint64_t id = 1) {
  return {.decision_id = id, .verb = Verb::release, .pool = kind, .budget_us = 20'000};
}

inline Action trim_of(std::uint64_t bytes, std::uint64_t id = 1) {
  return {.decision_id = id,
          .verb = Verb::trim,
          .pool = PoolKind::kv,
          .bytes = bytes,
          .budget_us = 20'000};
}

/// Releases until nothing is left, however often a busy machine cuts a release short.
inline std::uint64_t release_all(MemoryPool& pool) {
  std::uint64_t bytes = 0;
  Outcome outcome;
  do {
    outcome = pool.apply(release_of(pool.kind()));
    EXPECT_NE(outcome.status, Status::failed);
    bytes += outcome.bytes_released;
  } while (outcome.status == Status::more);
  return bytes;
}

/// Fills every compute buffer of the context with NaN.
inline void poison_scratch(const llama_context* context) {
  BufferRegistry::instance().with_pages_of(context, [](std::span<const PageRange> ranges) {
    ASSERT_FALSE(ranges.empty());
    for (const PageRange& range : ranges) {
      std::fill_n(reinterpret_cast<float*>(range.begin), range.bytes() / sizeof(float),
                  std::numeric_limits<float>::quiet_NaN());
    }
  });
}

/// Whatever actions have ended since the last call.
inline std::vector<Outcome> drained(MemoryPool& pool) {
  Outcomes ended;
  pool.drain(ended);
  return {ended.begin(), ended.end()};
}

}  // namespace kvpsi::testing
