// SPDX-License-Identifier: MIT
// The wraps around llama.cpp's calls: safe points around and inside a decode, doorbells for
// everything else that changes cells. A context that is not attached passes straight through.
// Next hops: governed_state.h, attached.h; wraps_memory.cpp for ggml's buffers.
#include <mutex>
#include <type_traits>

#include "llama-batch.h"
#include "llama/attached.h"
#include "llama/buffer_registry.h"
#include "llama/governed_state.h"
#include "llama/real_functions.h"
#include "llama/wrap_counts.h"

namespace {

using kvpsi::BufferOwner;
using kvpsi::GovernedState;
using kvpsi::KvPool;
using kvpsi::Wrap;

/// The context whose decode runs on this thread. Its mutex is held.
struct Running {
  GovernedState* state = nullptr;
  bool is_decode = false;
};
thread_local Running running;

template <class F>
std::int32_t run_decode(llama_context* context, bool is_decode, std::uint64_t tokens, F real) {
  const BufferOwner owner(context);
  GovernedState* const state = running.state != nullptr ? nullptr : kvpsi::find_attached(context);
  if (state == nullptr) return real();
  const std::lock_guard lock(state->engine());
  state->before_decode();
  running = {state, is_decode};
  const std::int32_t result = real();
  running = {};
  state->after_decode(result, tokens);
  return result;
}

/// Runs a call that changes cells. `after(KvPool&)` tells the pool what it did.
template <class F, class After>
auto ring(GovernedState* state, F real, After after) {
  KvPool* const kv = state != nullptr && state != running.state ? state->kv() : nullptr;
  if (kv == nullptr) return real();
  const std::lock_guard lock(state->engine());
  kv->before_cells_change();
  if constexpr (std::is_void_v<decltype(real())>) {
    real();
    after(*kv);
  } else {
    const auto result = real();
    after(*kv);
    return result;
  }
}

constexpr auto kNothing = [](KvPool&) {};
/// Rows were written from outside a decode, and metadata only tells of those that stayed.
constexpr auto kLoaded = [](KvPool& kv) { kv.on_decode_failed(); };

#define KVPSI_SAME_SHAPE(name) \
  static_assert(std::is_same_v<decltype(__real_##name), decltype(name)>)
KVPSI_SAME_SHAPE(ggml_backend_sched_graph_compute_async);
KVPSI_SAME_SHAPE(llama_decode);
KVPSI_SAME_SHAPE(llama_encode);
KVPSI_SAME_SHAPE(llama_process);
KVPSI_SAME_SHAPE(llama_free);
KVPSI_SAME_SHAPE(llama_init_from_model);
KVPSI_SAME_SHAPE(llama_memory_clear);
KVPSI_SAME_SHAPE(llama_memory_seq_rm);
KVPSI_SAME_SHAPE(llama_memory_seq_cp);
KVPSI_SAME_SHAPE(llama_memory_seq_keep);
KVPSI_SAME_SHAPE(llama_memory_seq_add);
KVPSI_SAME_SHAPE(llama_memory_seq_div);
KVPSI_SAME_SHAPE(llama_state_load_file);
KVPSI_SAME_SHAPE(llama_state_seq_load_file);
KVPSI_SAME_SHAPE(llama_state_seq_set_data);
KVPSI_SAME_SHAPE(llama_state_seq_set_data_ext);
KVPSI_SAME_SHAPE(llama_state_set_data);
#undef KVPSI_SAME_SHAPE

}  // namespace

extern "C" {

std::int32_t __wrap_llama_decode(llama_context* ctx, llama_batch batch) {
  count_call(Wrap::llama_decode);
  return run_decode(ctx, true, static_cast<std::uint64_t>(batch.n_tokens),
                    [&] { return __real_llama_decode(ctx, batch); });
}

std::int32_t __wrap_llama_encode(llama_context* ctx, llama_batch batch) {
  count_call(Wrap::llama_encode);
  return run_decode(ctx, false, static_cast<std::uint64_t>(batch.n_tokens),
                    [&] { return __real_llama_encode(ctx, batch); });
}

std::int32_t __wrap_llama_process(llama_context* ctx, enum llama_process_type type,
                                  llama_batch_ext* batch) {
  count_call(Wrap::llama_process);
  const std::uint64_t tokens = batch != nullptr ? batch->tokens.size() : 0;
  return run_decode(ctx, type != LLAMA_PROCESS_TYPE_ENCODE, tokens,
                    [&] { return __real_llama_process(ctx, type, batch); });
}

enum ggml_status __wrap_ggml_backend_sched_graph_compute_async(ggml_backend_sched_t sched,
                                                               struct ggml_cgraph* graph) {
  count_call(Wrap::ggml_backend_sched_graph_compute_async);
  if (running.state != nullptr) running.state->before_graph(running.is_decode);
  return __real_ggml_backend_sched_graph_compute_async(sched, graph);
}

llama_context* __wrap_llama_init_from_model(llama_model* model, llama_context_params params) {
  count_call(Wrap::llama_init_from_model);
  char token = 0;  // stands for the context until its address is known
  const BufferOwner owner(&token);
  llama_context* const context = __real_llama_init_from_model(model, params);
  kvpsi::BufferRegistry::instance().pass_on(&token, context);
  return context;
}

void __wrap_llama_free(llama_context* ctx) {
  count_call(Wrap::llama_free);
  if (GovernedState* const state = kvpsi::find_attached(ctx)) state->detach();
  __real_llama_free(ctx);
}

void __wrap_llama_memory_clear(llama_memory_t memory, bool data) {
  count_call(Wrap::llama_memory_clear);
  ring(
      kvpsi::find_attached(memory), [&] { __real_llama_memory_clear(memory, data); },
      [data](KvPool& kv) {
        if (data) kv.on_cleared();
      });
}

bool __wrap_llama_memory_seq_rm(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                llama_pos p1) {
  count_call(Wrap::llama_memory_seq_rm);
  return ring(
      kvpsi::find_attached(memory), [&] { return __real_llama_memory_seq_rm(memory, seq, p0, p1); },
      kNothing);
}

void __wrap_llama_memory_seq_cp(llama_memory_t memory, llama_seq_id from, llama_seq_id to,
                                llama_pos p0, llama_pos p1) {
  count_call(Wrap::llama_memory_seq_cp);
  ring(
      kvpsi::find_attached(memory), [&] { __real_llama_memory_seq_cp(memory, from, to, p0, p1); },
      [](KvPool& kv) { kv.on_stream_copy_asked(); });
}

void __wrap_llama_memory_seq_keep(llama_memory_t memory, llama_seq_id seq) {
  count_call(Wrap::llama_memory_seq_keep);
  ring(kvpsi::find_attached(memory), [&] { __real_llama_memory_seq_keep(memory, seq); }, kNothing);
}

void __wrap_llama_memory_seq_add(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                 llama_pos p1, llama_pos delta) {
  count_call(Wrap::llama_memory_seq_add);
  ring(
      kvpsi::find_attached(memory),
      [&] { __real_llama_memory_seq_add(memory, seq, p0, p1, delta); },
      [](KvPool& kv) { kv.on_positions_shifted(); });
}

void __wrap_llama_memory_seq_div(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                 llama_pos p1, int d) {
  count_call(Wrap::llama_memory_seq_div);
  ring(
      kvpsi::find_attached(memory), [&] { __real_llama_memory_seq_div(memory, seq, p0, p1, d); },
      [](KvPool& kv) { kv.on_positions_shifted(); });
}

bool __wrap_llama_state_load_file(llama_context* ctx, const char* path, llama_token* tokens,
                                  std::size_t capacity, std::size_t* count) {
  count_call(Wrap::llama_state_load_file);
  return ring(
      kvpsi::find_attached(ctx),
      [&] { return __real_llama_state_load_file(ctx, path, tokens, capacity, count); }, kLoaded);
}

std::size_t __wrap_llama_state_seq_load_file(llama_context* ctx, const char* path, llama_seq_id seq,
                                             llama_token* tokens, std::size_t capacity,
                                             std::size_t* count) {
  count_call(Wrap::llama_state_seq_load_file);
  return ring(
      kvpsi::find_attached(ctx),
      [&] { return __real_llama_state_seq_load_file(ctx, path, seq, tokens, capacity, count); },
      kLoaded);
}

std::size_t __wrap_llama_state_seq_set_data(llama_context* ctx, const std::uint8_t* data,
                                            std::size_t size, llama_seq_id seq) {
  count_call(Wrap::llama_state_seq_set_data);
  return ring(
      kvpsi::find_attached(ctx),
      [&] { return __real_llama_state_seq_set_data(ctx, data, size, seq); }, kLoaded);
}

std::size_t __wrap_llama_state_seq_set_data_ext(llama_context* ctx, const std::uint8_t* data,
                                                std::size_t size, llama_seq_id seq,
                                                llama_state_seq_flags flags) {
  count_call(Wrap::llama_state_seq_set_data_ext);
  return ring(
      kvpsi::find_attached(ctx),
      [&] { return __real_llama_state_seq_set_data_ext(ctx, data, size, seq, flags); }, kLoaded);
}

std::size_t __wrap_llama_state_set_data(llama_context* ctx, const std::uint8_t* data,
                                        std::size_t size) {
  count_call(Wrap::llama_state_set_data);
  return ring(
      kvpsi::find_attached(ctx), [&] { return __real_llama_state_set_data(ctx, data, size); },
      kLoaded);
}

}  // extern "C"
