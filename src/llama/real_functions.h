// SPDX-License-Identifier: MIT
// The originals behind the wraps, as the linker names them. The governor calls these, so that it
// does not ring its own doorbells. Shapes: include/llama.h, ggml-backend.h, ggml-impl.h of the
// pinned tree; a changed shape there does not fail to link, so wraps.h checks them with
// static_assert.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ggml-backend.h"
#include "llama.h"

struct llama_batch_ext;

extern "C" {
void* __real_ggml_aligned_malloc(std::size_t size);
void __real_ggml_backend_buffer_clear(ggml_backend_buffer_t buffer, std::uint8_t value);
void __real_ggml_backend_buffer_free(ggml_backend_buffer_t buffer);
void __real_ggml_backend_buffer_set_usage(ggml_backend_buffer_t buffer,
                                          enum ggml_backend_buffer_usage usage);
enum ggml_status __real_ggml_backend_sched_graph_compute_async(ggml_backend_sched_t sched,
                                                               struct ggml_cgraph* graph);
void __real_ggml_backend_tensor_copy(const struct ggml_tensor* src, struct ggml_tensor* dst);
std::int32_t __real_llama_decode(llama_context* ctx, llama_batch batch);
std::int32_t __real_llama_encode(llama_context* ctx, llama_batch batch);
std::int32_t __real_llama_process(llama_context* ctx, enum llama_process_type type,
                                  llama_batch_ext* batch);
void __real_llama_free(llama_context* ctx);
llama_context* __real_llama_init_from_model(llama_model* model, llama_context_params params);
void __real_llama_memory_clear(llama_memory_t memory, bool data);
bool __real_llama_memory_seq_rm(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                llama_pos p1);
void __real_llama_memory_seq_cp(llama_memory_t memory, llama_seq_id from, llama_seq_id to,
                                llama_pos p0, llama_pos p1);
void __real_llama_memory_seq_keep(llama_memory_t memory, llama_seq_id seq);
void __real_llama_memory_seq_add(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                 llama_pos p1, llama_pos delta);
void __real_llama_memory_seq_div(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                 llama_pos p1, int d);
std::size_t __real_llama_state_get_size(llama_context* ctx);
std::size_t __real_llama_state_seq_get_size(llama_context* ctx, llama_seq_id seq);
std::size_t __real_llama_state_seq_get_size_ext(llama_context* ctx, llama_seq_id seq,
                                                llama_state_seq_flags flags);
std::size_t __real_llama_state_get_data(llama_context* ctx, std::uint8_t* data, std::size_t size);
bool __real_llama_state_save_file(llama_context* ctx, const char* path, const llama_token* tokens,
                                  std::size_t count);
std::size_t __real_llama_state_seq_get_data(llama_context* ctx, std::uint8_t* data,
                                            std::size_t size, llama_seq_id seq);
std::size_t __real_llama_state_seq_get_data_ext(llama_context* ctx, std::uint8_t* data,
                                                std::size_t size, llama_seq_id seq,
                                                llama_state_seq_flags flags);
std::size_t __real_llama_state_seq_save_file(llama_context* ctx, const char* path, llama_seq_id seq,
                                             const llama_token* tokens, std::size_t count);
bool __real_llama_state_load_file(llama_context* ctx, const char* path, llama_token* tokens,
                                  std::size_t capacity, std::size_t* count);
std::size_t __real_llama_state_seq_load_file(llama_context* ctx, const char* path, llama_seq_id seq,
                                             llama_token* tokens, std::size_t capacity,
                                             std::size_t* count);
std::size_t __real_llama_state_seq_set_data(llama_context* ctx, const std::uint8_t* data,
                                            std::size_t size, llama_seq_id seq);
std::size_t __real_llama_state_seq_set_data_ext(llama_context* ctx, const std::uint8_t* data,
                                                std::size_t size, llama_seq_id seq,
                                                llama_state_seq_flags flags);
std::size_t __real_llama_state_set_data(llama_context* ctx, const std::uint8_t* data,
                                        std::size_t size);
}
