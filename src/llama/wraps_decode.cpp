// SPDX-License-Identifier: MIT
// The wraps around llama.cpp's decodes: safe points around and inside them. A context that is not
// attached passes straight through. Next hops: governed_state.h, attached.h; wraps_cells.cpp for
// everything else that changes cells, wraps_memory.cpp for ggml's buffers.
#include <mutex>
#include <type_traits>

#include "llama-batch.h"
#include "llama/attached.h"
#include "llama/buffer_registry.h"
#include "llama/context_observer.h"
#include "llama/governed_state.h"
#include "llama/real_functions.h"
#include "llama/wrap_counts.h"
#include "llama/wraps.h"

namespace {

using kvpsi::BufferOwner;
using kvpsi::GovernedState;
using kvpsi::Wrap;

/// What runs_on_this_thread() says, and whether it is a decode.
struct Running {
  GovernedState* state = nullptr;
  bool is_decode = false;
};
thread_local Running running;

/// Sequences of a batch; a token without any belongs to sequence 0.
kvpsi::SeqSet sequences_of(const llama_batch& batch) {
  kvpsi::SeqSet out;
  for (std::int32_t i = 0; i < batch.n_tokens; ++i) {
    if (batch.n_seq_id == nullptr || batch.seq_id == nullptr) return out.set(0);
    for (std::int32_t s = 0; s < batch.n_seq_id[i]; ++s) {
      const llama_seq_id seq = batch.seq_id[i][s];
      if (seq >= 0 && seq < LLAMA_MAX_SEQ) out.set(static_cast<std::size_t>(seq));
    }
  }
  return out;
}

kvpsi::SeqSet sequences_of(const llama_batch_ext* batch) {
  kvpsi::SeqSet out;
  if (batch == nullptr) return out;
  for (const auto& token : batch->tokens) {
    for (const llama_seq_id seq : token.seq_ids) {
      if (seq >= 0 && seq < LLAMA_MAX_SEQ) out.set(static_cast<std::size_t>(seq));
    }
  }
  return out;
}

template <class Seqs, class F>
std::int32_t run_decode(llama_context* context, bool is_decode, std::uint64_t tokens, Seqs seqs,
                        F real) {
  const BufferOwner owner(context);
  GovernedState* const state = running.state != nullptr ? nullptr : kvpsi::find_attached(context);
  if (state == nullptr) return real();
  const std::lock_guard lock(state->engine());
  state->before_decode(is_decode ? seqs() : kvpsi::SeqSet(), static_cast<std::uint32_t>(tokens));
  running = {state, is_decode};
  const std::int32_t result = real();
  running = {};
  state->after_decode(result, tokens);
  return result;
}

KVPSI_SAME_SHAPE(ggml_backend_sched_graph_compute_async);
KVPSI_SAME_SHAPE(llama_decode);
KVPSI_SAME_SHAPE(llama_encode);
KVPSI_SAME_SHAPE(llama_process);
KVPSI_SAME_SHAPE(llama_free);
KVPSI_SAME_SHAPE(llama_init_from_model);

}  // namespace

extern "C" {

std::int32_t __wrap_llama_decode(llama_context* ctx, llama_batch batch) {
  count_call(Wrap::llama_decode);
  return run_decode(
      ctx, true, static_cast<std::uint64_t>(batch.n_tokens), [&] { return sequences_of(batch); },
      [&] { return __real_llama_decode(ctx, batch); });
}

std::int32_t __wrap_llama_encode(llama_context* ctx, llama_batch batch) {
  count_call(Wrap::llama_encode);
  return run_decode(
      ctx, false, static_cast<std::uint64_t>(batch.n_tokens), [&] { return sequences_of(batch); },
      [&] { return __real_llama_encode(ctx, batch); });
}

std::int32_t __wrap_llama_process(llama_context* ctx, enum llama_process_type type,
                                  llama_batch_ext* batch) {
  count_call(Wrap::llama_process);
  const std::uint64_t tokens = batch != nullptr ? batch->tokens.size() : 0;
  return run_decode(
      ctx, type != LLAMA_PROCESS_TYPE_ENCODE, tokens, [&] { return sequences_of(batch); },
      [&] { return __real_llama_process(ctx, type, batch); });
}

enum ggml_status __wrap_ggml_backend_sched_graph_compute_async(ggml_backend_sched_t sched,
                                                               struct ggml_cgraph* graph) {
  count_call(Wrap::ggml_backend_sched_graph_compute_async);
  if (running.state != nullptr) running.state->before_graph(running.is_decode);
  return __real_ggml_backend_sched_graph_compute_async(sched, graph);
}

void __wrap_llama_free(llama_context* ctx) {
  count_call(Wrap::llama_free);
  if (GovernedState* const state = kvpsi::find_attached(ctx)) state->detach(true);
  if (kvpsi::ContextObserver* const observer = kvpsi::context_observer()) observer->on_freeing(ctx);
  __real_llama_free(ctx);
}

llama_context* __wrap_llama_init_from_model(llama_model* model, llama_context_params params) {
  count_call(Wrap::llama_init_from_model);
  char token = 0;  // stands for the context until its address is known
  const BufferOwner owner(&token);
  llama_context* const context = __real_llama_init_from_model(model, params);
  kvpsi::BufferRegistry::instance().pass_on(&token, context);
  kvpsi::ContextObserver* const observer = kvpsi::context_observer();
  if (context == nullptr || observer == nullptr || observer->on_created(model, context)) {
    return context;
  }
  __wrap_llama_free(context);
  return nullptr;
}

}  // extern "C"

namespace kvpsi {

GovernedState* decoding_on_this_thread() { return running.state; }

}  // namespace kvpsi
