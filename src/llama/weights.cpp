// SPDX-License-Identifier: MIT
// See weights.h. Tensors are counted one by one: the mapped buffer also spans tensors that were
// repacked into anonymous memory and are no longer read from the file.
#include "llama/weights.h"

#include <string_view>
#include <unordered_set>

#include "ggml-backend.h"
#include "ggml.h"
#include "linux/own_memory.h"
#include "llama-model.h"

namespace kvpsi {

namespace {

bool is_cpu_memory(ggml_backend_buffer_t buffer) {
  if (ggml_backend_buffer_is_host(buffer)) return true;
  const ggml_backend_dev_t device =
      ggml_backend_buft_get_device(ggml_backend_buffer_get_type(buffer));
  return device != nullptr && ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
}

}  // namespace

WeightBytes read_weights(const llama_model& model) {
  WeightBytes out;
  std::unordered_set<const void*> seen;  // tied embeddings appear twice
  for (const auto& [name, tensor] : llama_internal_get_tensor_map(&model)) {
    if (tensor == nullptr || tensor->buffer == nullptr || !seen.insert(tensor->data).second)
      continue;
    const std::uint64_t bytes = ggml_nbytes(tensor);
    // ggml names the type of a buffer over a mapped file so; see ggml-backend.cpp.
    const std::string_view type = ggml_backend_buffer_name(tensor->buffer);
    if (!is_cpu_memory(tensor->buffer)) {
      out.device_bytes += bytes;
    } else if (type == "CPU_Mapped") {
      out.file_bytes += bytes;
    } else {
      out.anon_bytes += bytes;
    }
  }
  if (const auto own = read_own_memory()) out.locked_bytes = own->locked_bytes;
  return out;
}

}  // namespace kvpsi
