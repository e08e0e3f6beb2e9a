// SPDX-License-Identifier: MIT
// See wrap_counts.h.
#include "llama/wrap_counts.h"

#include <array>
#include <atomic>
#include <string_view>

#include "llama/elastic.h"

namespace kvpsi {

namespace {

constexpr std::array<std::string_view, kWrapCount> kNames = {
    "ggml_aligned_malloc",
    "ggml_backend_buffer_clear",
    "ggml_backend_buffer_free",
    "ggml_backend_buffer_set_usage",
    "ggml_backend_sched_graph_compute_async",
    "ggml_backend_tensor_copy",
    "llama_decode",
    "llama_encode",
    "llama_free",
    "llama_init_from_model",
    "llama_memory_clear",
    "llama_memory_seq_add",
    "llama_memory_seq_cp",
    "llama_memory_seq_div",
    "llama_memory_seq_keep",
    "llama_memory_seq_rm",
    "llama_process",
    "llama_state_get_data",
    "llama_state_get_size",
    "llama_state_load_file",
    "llama_state_save_file",
    "llama_state_seq_get_data",
    "llama_state_seq_get_data_ext",
    "llama_state_seq_get_size",
    "llama_state_seq_get_size_ext",
    "llama_state_seq_load_file",
    "llama_state_seq_save_file",
    "llama_state_seq_set_data",
    "llama_state_seq_set_data_ext",
    "llama_state_set_data",
};

std::array<std::atomic<std::uint64_t>, kWrapCount> counters{};

}  // namespace

void count_call(Wrap wrap) {
  counters[static_cast<std::size_t>(wrap)].fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t calls_of(Wrap wrap) {
  return counters[static_cast<std::size_t>(wrap)].load(std::memory_order_relaxed);
}

std::array<WrapCount, kWrapCount> wraps_fired() {
  std::array<WrapCount, kWrapCount> out;
  for (std::size_t i = 0; i < kWrapCount; ++i) {
    out[i] = {kNames[i], counters[i].load(std::memory_order_relaxed)};
  }
  return out;
}

}  // namespace kvpsi
