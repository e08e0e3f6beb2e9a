// SPDX-License-Identifier: MIT
// Start here for generation: a model, its context, and the turning of prompts into tokens. Knows
// nothing of pressure; it asks GovernedContext for room before each decode and leaves the rest to
// the wraps. Must not print. Next hops: engine_load.cpp (model and context), generation.h (what can
// be asked and what comes of it), conversation_run.h (the loop), prompt.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "llama/generation.h"
#include "llama/prompt.h"

struct llama_model;
struct llama_context;

namespace kvpsi {

class GovernedContext;

/// Mirrors llama_flash_attn_type.
enum class FlashAttention : std::uint8_t { automatic, on, off };

struct EngineOptions {
  std::string model;
  /// Tokens of context, over all sequences. Empty: as trained, 4,096 at most; 0: as trained.
  std::optional<std::uint32_t> n_ctx;
  std::uint32_t n_seq_max = 1;   ///< sequences in the cache at once, 1 to 256
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

/// A loaded model with one context. One thread at a time.
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
  std::uint32_t n_ctx() const;  ///< over all sequences, as granted, a multiple of 256
  std::uint32_t n_seq_max() const;
  /// Tokens that one sequence may have: n_ctx with a unified cache, else its share; with several
  /// sequences never more than the model was trained for, unless beyond_training.
  std::uint32_t sequence_limit() const { return sequence_limit_; }
  std::uint32_t n_batch() const;
  std::uint64_t model_bytes() const;  ///< all weights, llama_model_size
  std::uint32_t trained_n_ctx() const;

  /// Errors: invalid_argument where a prompt of so many tokens leaves no room for an answer.
  Result<void> check_prompt_length(std::size_t tokens) const;

  /// Evaluates the prompt and generates: converse() with one conversation, and its errors.
  Result<Generation> generate(const std::vector<Token>& prompt, const GenerateOptions& options,
                              GovernedContext* governed, const std::atomic<bool>& stop);

  /// Holds the conversations, n_seq_max at a time; see conversation_run.h for the order. `stop` is
  /// looked at between tokens and within a decode. `governed` gives room below --kv-max; may be
  /// null. The cache must be empty. Errors: invalid_argument (a prompt fills the context; see also
  /// check_seats), io (llama.cpp failed to decode).
  Result<Conversations> converse(std::span<const Conversation> asked,
                                 const GenerateOptions& options, GovernedContext* governed,
                                 const std::atomic<bool>& stop);

 private:
  Engine(llama_model* model, llama_context* context, std::uint32_t sequence_limit)
      : model_(model), context_(context), sequence_limit_(sequence_limit) {}
  llama_model* model_;
  llama_context* context_;
  std::uint32_t sequence_limit_;
};

}  // namespace kvpsi
