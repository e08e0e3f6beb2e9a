// SPDX-License-Identifier: MIT
// See governed_state.h.
#include "llama/governed_state.h"

#include <cxxabi.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <typeinfo>
#include <utility>

#include "base/clock.h"
#include "ggml-backend.h"
#include "linux/pages.h"
#include "llama-context.h"
#include "llama-kv-cache-iswa.h"
#include "llama-kv-cache.h"
#include "llama-memory.h"
#include "llama-model.h"
#include "llama/attached.h"
#include "llama/buffer_registry.h"
#include "llama/sequence_cells.h"
#include "llama/weights.h"
#include "llama/wrap_counts.h"

namespace kvpsi {

namespace {

/// Views are published at most this often unless the governor asks or an action changed something.
constexpr std::uint64_t kPublishIntervalUs = 50'000;

/// The class name of a kind of memory, as llama.cpp spells it.
std::string class_name(const llama_memory_i& memory) {
  int status = 0;
  char* const text = abi::__cxa_demangle(typeid(memory).name(), nullptr, nullptr, &status);
  std::string out = text != nullptr ? text : typeid(memory).name();
  std::free(text);
  return out;
}

/// The caches of the kinds that are known from the inside; others would be guesses.
std::vector<const llama_kv_cache*> find_caches(const llama_memory_i& memory) {
  if (typeid(memory) == typeid(llama_kv_cache)) {
    return {&dynamic_cast<const llama_kv_cache&>(memory)};
  }
  if (typeid(memory) == typeid(llama_kv_cache_iswa)) {
    const auto& both = dynamic_cast<const llama_kv_cache_iswa&>(memory);
    return {both.get_base(), both.get_swa()};
  }
  return {};
}

bool runs_on_cpu_only(const llama_context& context) {
  const ggml_backend_sched_t sched = context.get_sched();
  if (sched == nullptr) return false;
  for (int i = 0; i < ggml_backend_sched_get_n_backends(sched); ++i) {
    const ggml_backend_dev_t device =
        ggml_backend_get_device(ggml_backend_sched_get_backend(sched, i));
    if (device == nullptr || ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<GovernedState>> GovernedState::create(llama_model* model,
                                                             llama_context* context,
                                                             const GovernOptions& options) {
  if (model == nullptr || context == nullptr) {
    return fail(ErrorCode::invalid_argument, "no model or no context to govern");
  }
  if (find_attached(context) != nullptr) {
    return fail(ErrorCode::invalid_argument, "this context is governed already");
  }
  if (llama_get_memory(context) == nullptr) {
    return fail(ErrorCode::unsupported, "this model keeps no KV cache: nothing to govern");
  }
  std::unique_ptr<GovernedState> state(new GovernedState(model, context, options));
  add_attached(state.get());
  return state;
}

GovernedState::GovernedState(llama_model* model, llama_context* context,
                             const GovernOptions& options)
    : context_(context),
      memory_(llama_get_memory(context)),
      options_(options),
      elastic_(is_elastic()),
      weights_(read_weights(*model)),
      cpu_only_(runs_on_cpu_only(*context)) {
  set_up_kv(*model);
  set_up_scratch();
  pools_.push_back(&heap_.emplace(elastic_ && options_.release, counters_));
  check_wraps();
}

GovernedState::~GovernedState() { detach(false); }

/// Null, with the reason among the ungoverned, where the pages of this cache cannot be had.
std::unique_ptr<KvPart> GovernedState::set_up_part(const llama_kv_cache& cache,
                                                   const llama_model& model) {
  KvLayout layout = read_kv_layout(cache, model);
  for (std::string& problem : layout.problems) ungoverned_.push_back(std::move(problem));
  if (layout.layouts.empty()) return nullptr;
  const std::uintptr_t base = layout.buffers.front().begin;
  if (is_cache_attached(base - base % page_bytes())) {
    ungoverned_.push_back("KV cache is shared with another context, which governs it");
    return nullptr;
  }
  return std::make_unique<KvPart>(cache, std::move(layout), elastic_, elastic_ && options_.release,
                                  counters_);
}

void GovernedState::set_up_kv(const llama_model& model) {
  const std::vector<const llama_kv_cache*> caches = find_caches(*memory_);
  if (caches.empty()) {
    ungoverned_.push_back("context memory of kind " + class_name(*memory_) +
                          " is not supported yet: scratch and heap only");
    return;
  }
  std::vector<std::unique_ptr<KvPart>> parts;
  for (const llama_kv_cache* const cache : caches) {
    std::unique_ptr<KvPart> part = set_up_part(*cache, model);
    if (part == nullptr) return;  // all or none: a sequence has rows in each of them
    parts.push_back(std::move(part));
  }
  if (parts.size() > 1 && options_.trim == TrimMode::eager) {
    ungoverned_.push_back("a cache with a sliding window is released and spilled, never trimmed");
  }
  pools_.push_back(&kv_.emplace(gate_, context_, std::move(parts), options_, elastic_, counters_));
  if (const int error = kv_->probe(); error != 0) {
    ungoverned_.push_back("KV pages do not come back: " +
                          (error == EINVAL ? std::string("they are locked in memory (mlock)")
                                           : std::string(std::strerror(error))));
  }
}

void GovernedState::set_up_scratch() {
  if (!cpu_only_) {
    ungoverned_.push_back("compute scratch stays: not all backends are CPU");
    return;
  }
  pools_.push_back(&scratch_.emplace(gate_, context_, elastic_ && options_.release,
                                     options_.scratch_idle_us, counters_));
  ContextMemory memory;
  scratch_->measure(memory);
  if (memory.scratch_reserved_bytes == 0) {
    ungoverned_.push_back("no compute scratch was identified");
  }
}

/// Wraps that creating a context must have gone through. Without them it only looks governed.
void GovernedState::check_wraps() {
  for (const auto& [wrap, name] :
       {std::pair{Wrap::ggml_aligned_malloc, "ggml_aligned_malloc"},
        std::pair{Wrap::ggml_backend_buffer_clear, "ggml_backend_buffer_clear"},
        std::pair{Wrap::ggml_backend_buffer_set_usage, "ggml_backend_buffer_set_usage"},
        std::pair{Wrap::llama_init_from_model, "llama_init_from_model"}}) {
    if (calls_of(wrap) == 0) {
      ungoverned_.push_back(std::string("wrap of ") + name +
                            " never fired: this build is not elastic");
    }
  }
}

void GovernedState::before_decode(const SeqSet& seqs, std::uint32_t tokens) {
  if (kv_) kv_->before_decode(seqs, tokens);
  if (scratch_) scratch_->serve(Moment::before_decode);
}

void GovernedState::before_graph(bool is_decode) {
  if (kv_ && is_decode) kv_->before_graph();
}

void GovernedState::after_decode(std::int32_t result, std::uint64_t tokens) {
  // Whoever reads the logits synchronises anyway; with the CPU alone nothing is left to wait for.
  if (cpu_only_) llama_synchronize(context_);
  if (kv_) kv_->after_decode(result != 0);
  if (scratch_) {
    scratch_->on_decoded(tokens);
    scratch_->serve(Moment::after_decode);
  }
  publish_if_due();
}

void GovernedState::publish_if_due() {
  const bool wanted = (kv_ && kv_->is_view_wanted()) || (scratch_ && scratch_->is_view_wanted());
  const std::uint64_t now = monotonic_us();
  if (!wanted && now - published_us_ < kPublishIntervalUs) return;
  published_us_ = now;
  if (kv_) kv_->publish();
  if (scratch_) scratch_->publish();
}

void GovernedState::detach(bool context_dies) {
  remove_attached(this);
  const std::lock_guard lock(gate_.mutex);
  if (!gate_.attached) return;
  gate_.attached = false;
  if (kv_) kv_->let_go(context_dies);
  context_ = nullptr;
}

SelfCheck GovernedState::self_check() {
  const std::lock_guard lock(gate_.mutex);
  if (!gate_.attached) return {false, 0, "the context is gone"};
  if (!kv_) return {false, 0, "no governed KV cache"};
  return kv_->self_check();
}

ContextMemory GovernedState::measure() {
  ContextMemory out;
  TokenAccount tokens;
  {
    const std::lock_guard lock(gate_.mutex);
    if (gate_.attached && kv_) kv_->measure(out);
    if (gate_.attached && scratch_) scratch_->measure(out);
    tokens = counters_.all_tokens();
  }
  out.prunes = counters_.prunes;
  out.tokens_trimmed = tokens.trimmed;
  out.tokens_spoiled = tokens.spoiled;
  out.tokens_restored = tokens.restored;
  out.tokens_reevaluated = tokens.reevaluated;
  out.tokens_lost = tokens.lost;
  out.bytes_spilled = counters_.bytes_spilled;
  out.bytes_restored = counters_.bytes_restored;
  out.restore_us = counters_.restore_us;
  out.reduced_context_us = counters_.reduced_context_us;
  out.kv_bytes_released = counters_.kv_bytes_released;
  out.scratch_bytes_released = counters_.scratch_bytes_released;
  out.heap_bytes_released = counters_.heap_bytes_released;
  out.release_us = counters_.release_us;
  out.first_release_us = counters_.first_release_us;
  for (const WrapCount& count : wraps_fired()) out.wraps_fired += count.calls;
  return out;
}

std::uint64_t GovernedState::kv_cells_left() {
  const std::lock_guard lock(gate_.mutex);
  return gate_.attached && kv_ ? kv_->cells_left() : ~std::uint64_t{0};
}

TokenAccount GovernedState::sequence_account(std::int32_t sequence) {
  const std::lock_guard lock(gate_.mutex);
  return sequence >= 0 && sequence < LLAMA_MAX_SEQ ? counters_.tokens_of(sequence) : TokenAccount{};
}

SequenceBooks GovernedState::settle(std::int32_t sequence) {
  const std::lock_guard lock(gate_.mutex);
  if (!gate_.attached) return {};
  if (kv_) kv_->settle(sequence);
  return {.account = counters_.tokens_of(sequence),
          .live_tokens = count_sequence_cells(memory_, sequence)};
}

std::uint64_t GovernedState::make_room(std::uint32_t cells) {
  const std::lock_guard lock(gate_.mutex);
  if (!gate_.attached || !kv_) return 0;
  const std::uint64_t left = kv_->cells_left();
  return left >= cells ? 0 : kv_->trim_cells(cells - left);
}

void GovernedState::pin(std::int32_t sequence, bool pinned) {
  const std::lock_guard lock(gate_.mutex);
  if (gate_.attached && kv_ && sequence >= 0 && sequence < LLAMA_MAX_SEQ) {
    kv_->pin(sequence, pinned);
  }
}

std::vector<std::string> GovernedState::take_losses() {
  const std::lock_guard lock(gate_.mutex);
  return kv_ ? kv_->take_losses() : std::vector<std::string>();
}

std::vector<std::string> GovernedState::take_losses_at_rest() {
  const std::unique_lock lock(gate_.mutex, std::try_to_lock);
  return lock.owns_lock() && kv_ ? kv_->take_losses() : std::vector<std::string>();
}

}  // namespace kvpsi
