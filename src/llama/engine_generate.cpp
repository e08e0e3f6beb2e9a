// SPDX-License-Identifier: MIT
// The generation loop: prefill in chunks, then one token at a time. Asks for room before each
// decode; the wraps around llama_decode do the rest.
#include <fmt/core.h>
#include <llama.h>

#include <algorithm>

#include "base/clock.h"
#include "llama/elastic.h"
#include "llama/engine.h"
#include "llama/engine_log.h"
#include "llama/sampler.h"
#include "llama/text_stream.h"

namespace kvpsi {
namespace {

bool is_stop_asked(void* user) {
  return static_cast<const std::atomic<bool>*>(user)->load(std::memory_order_relaxed);
}

/// One call of generate(): the state that its steps share.
class GenerationLoop {
 public:
  GenerationLoop(llama_context* context, const GenerateOptions& options, GovernedContext* governed,
                 const std::atomic<bool>& stop)
      : context_(context),
        vocab_(llama_model_get_vocab(llama_get_model(context))),
        options_(options),
        governed_(governed),
        stop_(stop),
        sampler_(make_sampler(vocab_, options)),
        stream_(options.stops) {}

  Result<Generation> run(const std::vector<Token>& prompt);

 private:
  /// Evaluates tokens. Empty: done. Otherwise why the generation ends here.
  Result<std::optional<StopReason>> evaluate(Token* tokens, std::uint32_t count);
  Result<std::optional<StopReason>> prefill(std::vector<Token> prompt);
  Result<StopReason> decode();
  std::optional<StopReason> find_room(std::uint32_t count);
  std::optional<StopReason> take_token(Token token);
  void show(const std::string& text);
  void report_progress() const;

  llama_context* context_;
  const llama_vocab* vocab_;
  const GenerateOptions& options_;
  GovernedContext* governed_;
  const std::atomic<bool>& stop_;
  SamplerPtr sampler_;
  TextStream stream_;
  Generation out_;
};

std::optional<StopReason> GenerationLoop::find_room(std::uint32_t count) {
  if (governed_ == nullptr || governed_->kv_cells_left() >= count) return std::nullopt;
  governed_->make_room(count);
  if (governed_->kv_cells_left() >= count) return std::nullopt;
  const std::uint64_t used = out_.prefilled + out_.decoded;
  return used + count > llama_n_ctx(context_) ? StopReason::context_full : StopReason::kv_max;
}

Result<std::optional<StopReason>> GenerationLoop::evaluate(Token* tokens, std::uint32_t count) {
  if (const auto no_room = find_room(count)) return no_room;
  const std::int32_t code =
      llama_decode(context_, llama_batch_get_one(tokens, static_cast<std::int32_t>(count)));
  if (code == 0) return std::nullopt;
  if (code == 1) return StopReason::context_full;
  if (code == 2 && stop_.load(std::memory_order_relaxed)) return StopReason::interrupted;
  const std::string words = take_llama_error();
  return fail(ErrorCode::io, fmt::format("llama.cpp failed to decode (code {}){}{}", code,
                                         words.empty() ? "" : ": ", words));
}

Result<std::optional<StopReason>> GenerationLoop::prefill(std::vector<Token> prompt) {
  const auto chunk = static_cast<std::size_t>(llama_n_batch(context_));
  report_progress();
  for (std::size_t at = 0; at < prompt.size(); at += chunk) {
    if (stop_.load(std::memory_order_relaxed)) return StopReason::interrupted;
    const auto count = static_cast<std::uint32_t>(std::min(chunk, prompt.size() - at));
    const auto ended = evaluate(prompt.data() + at, count);
    if (!ended || *ended) return ended;
    out_.prefilled += count;
    report_progress();
  }
  llama_synchronize(context_);
  return std::nullopt;
}

void GenerationLoop::show(const std::string& text) {
  if (text.empty()) return;
  out_.text += text;
  if (options_.on_text) options_.on_text(text);
}

void GenerationLoop::report_progress() const {
  if (options_.on_progress) options_.on_progress(out_.prefilled, out_.decoded);
}

std::optional<StopReason> GenerationLoop::take_token(Token token) {
  if (llama_vocab_is_eog(vocab_, token)) return StopReason::eos;
  out_.token_t_us.push_back(monotonic_us());
  ++out_.decoded;
  show(stream_.push(token_text(vocab_, token)));
  report_progress();
  if (stream_.stopped()) return StopReason::stop;
  if (out_.decoded >= options_.predict) return StopReason::length;
  return std::nullopt;
}

Result<StopReason> GenerationLoop::decode() {
  const double time_max_us = options_.time_max_s * 1e6;
  while (true) {
    if (stop_.load(std::memory_order_relaxed)) return StopReason::interrupted;
    const auto elapsed_us = static_cast<double>(monotonic_us() - out_.decode_start_us);
    if (time_max_us > 0 && elapsed_us >= time_max_us) return StopReason::time;
    Token token = llama_sampler_sample(sampler_.get(), context_, -1);
    if (const auto ended = take_token(token)) return *ended;
    const auto ended = evaluate(&token, 1);
    if (!ended) return std::unexpected(ended.error());
    if (*ended) return **ended;
  }
}

Result<Generation> GenerationLoop::run(const std::vector<Token>& prompt) {
  out_.prompt_tokens = static_cast<std::uint32_t>(prompt.size());
  out_.token_t_us.reserve(options_.predict);
  llama_set_abort_callback(context_, is_stop_asked, const_cast<std::atomic<bool>*>(&stop_));
  const std::uint64_t cpu_start_us = process_cpu_us();
  out_.prefill_start_us = monotonic_us();
  const auto ended = prefill(prompt);
  const std::uint64_t cpu_prefilled_us = process_cpu_us();
  out_.prefill_cpu_us = cpu_prefilled_us - cpu_start_us;
  Result<StopReason> reason = StopReason::length;
  if (!ended) {
    reason = std::unexpected(ended.error());
  } else if (*ended) {
    reason = **ended;
  } else if (options_.predict > 0) {
    out_.decode_start_us = monotonic_us();
    if (options_.on_decode_start) options_.on_decode_start();
    reason = decode();
    out_.decode_end_us = monotonic_us();
    out_.decode_cpu_us = process_cpu_us() - cpu_prefilled_us;
  }
  llama_set_abort_callback(context_, nullptr, nullptr);
  show(stream_.finish());
  if (!reason) return std::unexpected(reason.error());
  out_.stop_reason = *reason;
  return std::move(out_);
}

}  // namespace

Result<Generation> Engine::generate(const std::vector<Token>& prompt,
                                    const GenerateOptions& options, GovernedContext* governed,
                                    const std::atomic<bool>& stop) {
  if (prompt.size() >= n_ctx()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the prompt has {} tokens and the context {}: raise -c or cut the "
                            "prompt with --prompt-tokens",
                            prompt.size(), n_ctx()));
  }
  return GenerationLoop(context_, options, governed, stop).run(prompt);
}

double tokens_per_second(const Generation& generation) {
  const auto& times = generation.token_t_us;
  if (times.size() < 2 || times.back() <= times.front()) return 0;
  return static_cast<double>(times.size() - 1) * 1e6 /
         static_cast<double>(times.back() - times.front());
}

std::vector<double> token_latencies_ms(const Generation& generation) {
  std::vector<double> latencies;
  for (std::size_t i = 1; i < generation.token_t_us.size(); ++i) {
    latencies.push_back(
        static_cast<double>(generation.token_t_us[i] - generation.token_t_us[i - 1]) / 1e3);
  }
  return latencies;
}

}  // namespace kvpsi
