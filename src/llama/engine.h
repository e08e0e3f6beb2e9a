// SPDX-License-Identifier: MIT
// Start here for generation: a model, its context, and the loop that turns a prompt into tokens.
// Knows nothing of pressure; it asks GovernedContext for room before each decode and leaves the
// rest to the wraps. Must not print. Next hops: engine_load.cpp (model and context),
// engine_generate.cpp (the loop), prompt.h, text_stream.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "llama/prompt.h"

struct llama_model;
struct llama_context;

namespace kvpsi {

class GovernedContext;

/// Mirrors llama_flash_attn_type.
enum class FlashAttention : std::uint8_t { automatic, on, off };

struct EngineOptions {
  std::string model;
  /// Tokens of context. Empty: as trained, 4,096 at most; 0: as trained.
  std::optional<std::uint32_t> n_ctx;
  bool beyond_training = false;  ///< allow n_ctx to be larger than the model was trained for
  /// Tokens of a prefill chunk; the ubatch has the same size. Requests of the governor wait for the
  /// end of a chunk: 0.9 s at 145 tokens/s, and 256 is no faster.
  std::uint32_t n_batch = 128;
  std::uint32_t threads = 1;
  FlashAttention flash_attention = FlashAttention::automatic;
  std::string cache_type_k = "f16";
  std::string cache_type_v = "f16";
  bool kv_unified = true;
  bool mmap = true;
  bool mlock = false;
  bool verbose = false;  ///< llama.cpp's own log on stderr
  /// 0..1, on the loading thread; false ends the loading. May be empty.
  std::function<bool(float)> on_load_progress;
};

struct GenerateOptions {
  std::uint32_t predict = 128;  ///< tokens to make at most
  bool ignore_eos = false;      ///< ban every end-of-generation token
  std::vector<std::string> stops;
  double time_max_s = 0;   ///< stop decoding after this long; 0 = never
  double temperature = 0;  ///< 0 = greedy; else top-k 40, top-p 0.95, min-p 0.05 and this
  std::uint32_t seed = 1;

  std::function<void(std::string_view)> on_text;  ///< printable text, in order
  /// After each prefill chunk and each token, and before the first: prompt tokens done, tokens
  /// decoded.
  std::function<void(std::uint32_t, std::uint32_t)> on_progress;
  std::function<void()> on_decode_start;  ///< once, between prefill and decoding
};

/// Why a generation ended.
enum class StopReason : std::uint8_t {
  length,        ///< `predict` tokens were made
  eos,           ///< the model ended its turn
  stop,          ///< a stop string
  time,          ///< time_max_s is over
  interrupted,   ///< the stop flag was set
  context_full,  ///< n_ctx cells hold a token
  kv_max,        ///< the cap on KV memory is reached and nothing may be trimmed
};

constexpr std::string_view name(StopReason reason) {
  switch (reason) {
    case StopReason::length:
      return "length";
    case StopReason::eos:
      return "eos";
    case StopReason::stop:
      return "stop";
    case StopReason::time:
      return "time";
    case StopReason::interrupted:
      return "interrupted";
    case StopReason::context_full:
      return "context_full";
    case StopReason::kv_max:
      return "kv_max";
  }
  return "unknown";
}

/// One generation. Times are CLOCK_MONOTONIC, microseconds.
struct Generation {
  StopReason stop_reason = StopReason::length;
  std::string text;  ///< valid UTF-8
  std::uint32_t prompt_tokens = 0;
  std::uint32_t prefilled = 0;  ///< prompt tokens that were evaluated
  std::uint32_t decoded = 0;
  std::vector<std::uint64_t> token_t_us;  ///< when each token was there
  std::uint64_t prefill_start_us = 0;
  std::uint64_t decode_start_us = 0;  ///< 0: it never came to that
  std::uint64_t decode_end_us = 0;
  std::uint64_t prefill_cpu_us = 0;
  std::uint64_t decode_cpu_us = 0;
};

/// Tokens a second between the first and the last token; 0 for fewer than two tokens.
double tokens_per_second(const Generation& generation);

/// Milliseconds between tokens, in order (one fewer than there are tokens).
std::vector<double> token_latencies_ms(const Generation& generation);

/// A loaded model with one context of one sequence. One thread at a time.
class Engine {
 public:
  /// Loads. Call set_elastic first. Errors: not_found, permission, malformed (the file),
  /// invalid_argument (an option that the model cannot have; names the flag), exhausted (no memory
  /// for the context), unsupported (llama.cpp refuses the model; with its own words), cancelled
  /// (on_load_progress).
  static Result<std::unique_ptr<Engine>> load(const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  llama_model* model() { return model_; }
  llama_context* context() { return context_; }
  std::uint32_t n_ctx() const;  ///< as granted, a multiple of 256
  std::uint32_t n_batch() const;
  std::uint64_t model_bytes() const;  ///< all weights, llama_model_size
  std::uint32_t trained_n_ctx() const;

  /// Evaluates the prompt and generates. `stop` is looked at between tokens and within a decode.
  /// `governed` gives room below --kv-max; may be null. Errors: invalid_argument (the prompt fills
  /// the context), io (llama.cpp failed to decode).
  Result<Generation> generate(const std::vector<Token>& prompt, const GenerateOptions& options,
                              GovernedContext* governed, const std::atomic<bool>& stop);

 private:
  Engine(llama_model* model, llama_context* context) : model_(model), context_(context) {}
  llama_model* model_;
  llama_context* context_;
};

}  // namespace kvpsi
