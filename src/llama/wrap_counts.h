// SPDX-License-Identifier: MIT
// One counter a wrapped function. A wrap that never fires (a call inside one object file, another
// link order) would leave a process that looks governed and is not, so start-up asks here.
// Next hops: wraps_*.cpp count, governed_state.cpp complains.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvpsi {

/// In the order of cmake/wraps.cmake.
enum class Wrap : std::uint8_t {
  ggml_aligned_malloc,
  ggml_backend_buffer_clear,
  ggml_backend_buffer_free,
  ggml_backend_buffer_set_usage,
  ggml_backend_sched_graph_compute_async,
  ggml_backend_tensor_copy,
  llama_decode,
  llama_encode,
  llama_free,
  llama_init_from_model,
  llama_memory_clear,
  llama_memory_seq_add,
  llama_memory_seq_cp,
  llama_memory_seq_div,
  llama_memory_seq_keep,
  llama_memory_seq_rm,
  llama_process,
  llama_state_get_data,
  llama_state_get_size,
  llama_state_load_file,
  llama_state_save_file,
  llama_state_seq_get_data,
  llama_state_seq_get_data_ext,
  llama_state_seq_get_size,
  llama_state_seq_get_size_ext,
  llama_state_seq_load_file,
  llama_state_seq_save_file,
  llama_state_seq_set_data,
  llama_state_seq_set_data_ext,
  llama_state_set_data,
};

/// Adds one. Any thread.
void count_call(Wrap wrap);

/// Calls since the program started. Any thread.
std::uint64_t calls_of(Wrap wrap);

}  // namespace kvpsi
