// SPDX-License-Identifier: MIT
// Loading of model and context. What is wrong with a file or a flag is found here, before
// llama.cpp, because its own answer is a null pointer.
#include <fmt/core.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.h"
#include "base/gguf_file.h"
#include "llama/engine.h"
#include "llama/engine_log.h"

namespace kvpsi {
namespace {

constexpr std::uint32_t kDefaultContext = 4096;

constexpr auto kCacheTypes = std::to_array<std::pair<std::string_view, ggml_type>>({
    {"f32", GGML_TYPE_F32},
    {"f16", GGML_TYPE_F16},
    {"bf16", GGML_TYPE_BF16},
    {"q8_0", GGML_TYPE_Q8_0},
    {"q5_1", GGML_TYPE_Q5_1},
    {"q5_0", GGML_TYPE_Q5_0},
    {"q4_1", GGML_TYPE_Q4_1},
    {"q4_0", GGML_TYPE_Q4_0},
    {"iq4_nl", GGML_TYPE_IQ4_NL},
});

Result<ggml_type> find_cache_type(std::string_view flag, std::string_view wanted) {
  std::string known;
  for (const auto& [word, type] : kCacheTypes) {
    if (word == wanted) return type;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", word);
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("{}: '{}' is none of {}", flag, wanted, known));
}

llama_load_mode load_mode(const EngineOptions& options) {
  if (options.mmap) return options.mlock ? LLAMA_LOAD_MODE_MMAP_MLOCK : LLAMA_LOAD_MODE_MMAP;
  return options.mlock ? LLAMA_LOAD_MODE_MLOCK : LLAMA_LOAD_MODE_NONE;
}

/// What the load callback needs: the caller's function, and whether it ended the loading.
struct LoadWatch {
  const std::function<bool(float)>& on_progress;
  bool cancelled = false;
};

bool on_load_progress(float share, void* user) {
  auto* watch = static_cast<LoadWatch*>(user);
  watch->cancelled = !watch->on_progress(share);
  return !watch->cancelled;
}

std::string with_llama_words(std::string what) {
  const std::string words = take_llama_error();
  return words.empty() ? what : fmt::format("{}: {}", what, words);
}

Result<llama_model*> load_model(const EngineOptions& options) {
  const auto file = read_gguf_file(options.model);
  if (!file) return std::unexpected(file.error());
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = 0;  // what lies on a device is not the kernel's memory
  params.load_mode = load_mode(options);
  LoadWatch watch{.on_progress = options.on_load_progress};
  if (options.on_load_progress) {
    params.progress_callback = on_load_progress;
    params.progress_callback_user_data = &watch;
  }
  llama_model* model = llama_model_load_from_file(options.model.c_str(), params);
  if (model != nullptr) return model;
  if (watch.cancelled) return fail(ErrorCode::cancelled, "interrupted while loading");
  return fail(ErrorCode::unsupported, with_llama_words("llama.cpp cannot load this model"),
              options.model);
}

/// Each of several sequences may be as long as the model was trained for.
Result<std::uint32_t> choose_context(const EngineOptions& options, std::uint32_t trained) {
  if (!options.n_ctx) return std::min(trained, kDefaultContext);
  if (*options.n_ctx == 0) return trained;
  const std::uint64_t most = std::uint64_t{trained} * options.n_seq_max;
  if (*options.n_ctx <= most || options.beyond_training) return *options.n_ctx;
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("-c {} is beyond the {} tokens that this model was trained for{}; use -c "
                  "{}, or add --beyond-training",
                  *options.n_ctx, most,
                  options.n_seq_max > 1 ? fmt::format(" with {} sequences", options.n_seq_max)
                                        : std::string(),
                  most));
}

/// See Engine::sequence_limit. A context of one sequence was checked, and trim may move it on.
std::uint32_t find_sequence_limit(const EngineOptions& options, const llama_model* model,
                                  const llama_context* context) {
  const std::uint32_t limit = llama_n_ctx_seq(context);
  if (options.n_seq_max == 1 || options.beyond_training) return limit;
  return std::min(limit, static_cast<std::uint32_t>(std::max(llama_model_n_ctx_train(model), 1)));
}

Result<llama_context_params> make_context_params(const EngineOptions& options,
                                                 std::uint32_t n_ctx) {
  const auto type_k = find_cache_type("--cache-type-k", options.cache_type_k);
  if (!type_k) return std::unexpected(type_k.error());
  const auto type_v = find_cache_type("--cache-type-v", options.cache_type_v);
  if (!type_v) return std::unexpected(type_v.error());
  if (options.flash_attention == FlashAttention::off && ggml_is_quantized(*type_v)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("--cache-type-v {} needs flash attention; leave --flash-attn off out",
                            options.cache_type_v));
  }
  llama_context_params params = llama_context_default_params();
  params.n_ctx = n_ctx;
  params.n_batch = std::min(options.n_batch, n_ctx);
  params.n_ubatch = params.n_batch;
  params.n_seq_max = options.n_seq_max;
  // It keeps room for an output of each sequence and aborts where that is more than a batch has.
  params.n_outputs_max = std::max(params.n_batch, params.n_seq_max);
  params.n_threads = static_cast<std::int32_t>(options.threads);
  params.n_threads_batch = params.n_threads;
  params.type_k = *type_k;
  params.type_v = *type_v;
  params.kv_unified = options.kv_unified;
  params.swa_full = false;  // layers with a window keep rows of the window, not of all tokens
  params.no_perf = true;
  switch (options.flash_attention) {
    case FlashAttention::automatic:
      params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
      break;
    case FlashAttention::on:
      params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
      break;
    case FlashAttention::off:
      params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
      break;
  }
  return params;
}

Result<llama_context*> make_context(const EngineOptions& options, llama_model* model) {
  if (!llama_model_has_decoder(model) || llama_model_has_encoder(model)) {
    return fail(ErrorCode::unsupported,
                "this model has an encoder; only decoder-only models are generated with",
                options.model);
  }
  const auto trained = static_cast<std::uint32_t>(std::max(llama_model_n_ctx_train(model), 1));
  const auto n_ctx = choose_context(options, trained);
  if (!n_ctx) return std::unexpected(n_ctx.error());
  const auto params = make_context_params(options, *n_ctx);
  if (!params) return std::unexpected(params.error());
  llama_context* context = llama_init_from_model(model, *params);
  if (context != nullptr) return context;
  return fail(ErrorCode::exhausted,
              with_llama_words(fmt::format(
                  "llama.cpp cannot make a context of {} tokens; try a smaller -c", *n_ctx)));
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::load(const EngineOptions& options) {
  capture_llama_log(options.verbose);
  llama_backend_init();
  // Types are checked before minutes of loading.
  const auto early = make_context_params(options, 1);
  if (!early) return std::unexpected(early.error());
  const auto model = load_model(options);
  if (!model) return std::unexpected(model.error());
  const auto context = make_context(options, *model);
  if (!context) {
    llama_model_free(*model);
    return std::unexpected(context.error());
  }
  const std::uint32_t limit = find_sequence_limit(options, *model, *context);
  return std::unique_ptr<Engine>(new Engine(*model, *context, limit));
}

Engine::~Engine() {
  llama_free(context_);
  llama_model_free(model_);
}

std::uint32_t Engine::n_ctx() const { return llama_n_ctx(context_); }
std::uint32_t Engine::n_seq_max() const { return llama_n_seq_max(context_); }
std::uint32_t Engine::n_batch() const { return llama_n_batch(context_); }
std::uint64_t Engine::model_bytes() const { return llama_model_size(model_); }
std::uint32_t Engine::trained_n_ctx() const {
  return static_cast<std::uint32_t>(std::max(llama_model_n_ctx_train(model_), 1));
}

}  // namespace kvpsi
