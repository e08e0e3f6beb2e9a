// SPDX-License-Identifier: MIT
// See kv_layout.h. llama.cpp sources: llama-kv-cache.cpp (constructor, get_k_storage, get_v).
#include "llama/kv_layout.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "ggml-backend.h"
#include "ggml.h"
#include "llama-kv-cache.h"
#include "llama-model.h"
#include "llama/buffer_registry.h"

namespace kvpsi {

namespace {

/// Padding a buffer may have behind each tensor (ggml-alloc aligns tensors to 32 bytes).
constexpr std::uint64_t kMaxPaddingPerTensor = 256;

struct GgmlContextFree {
  void operator()(ggml_context* context) const { ggml_free(context); }
};
using GgmlContext = std::unique_ptr<ggml_context, GgmlContextFree>;

class LayoutReader {
 public:
  LayoutReader(const llama_kv_cache& cache, KvLayout& out) : cache_(cache), out_(out) {}

  void add_k(const ggml_tensor* tensor) {
    if (!accept(tensor)) return;
    add_rows(tensor);
  }

  void add_v(const ggml_tensor* tensor, bool transposed) {
    if (!accept(tensor)) return;
    if (!transposed) {
      add_rows(tensor);
      return;
    }
    TensorLayout layout = common(tensor);
    layout.cell_bytes = tensor->nb[0];
    layout.rows = static_cast<std::uint32_t>(tensor->ne[0]);
    layout.row_stride = layout.cell_bytes * layout.cells;
    out_.layouts.push_back(layout);
    out_.bytes_per_cell += layout.cell_bytes * layout.rows;
    out_.transposed_rows += layout.rows;
    out_.transposed_cell_bytes = layout.cell_bytes;
  }

  std::uint64_t left_out() const { return left_out_; }

 private:
  bool accept(const ggml_tensor* tensor) {
    const bool ours = tensor->data != nullptr && is_plain_host_buffer(tensor->buffer);
    const bool known = std::ranges::find(seen_, tensor) != seen_.end();
    if (!ours) ++left_out_;
    if (!ours || known) return false;
    seen_.push_back(tensor);
    ++out_.tensors;
    const auto base = std::bit_cast<std::uintptr_t>(ggml_backend_buffer_get_base(tensor->buffer));
    const BufferExtent extent{base, base + ggml_backend_buffer_get_size(tensor->buffer)};
    const bool buffer_known = std::ranges::any_of(
        out_.buffers, [&](const BufferExtent& other) { return other.begin == extent.begin; });
    if (!buffer_known) out_.buffers.push_back(extent);
    return true;
  }

  TensorLayout common(const ggml_tensor* tensor) const {
    TensorLayout layout;
    layout.base = std::bit_cast<std::uintptr_t>(tensor->data);
    layout.cells = cache_.get_size();
    layout.streams = cache_.get_n_stream();
    layout.stream_stride = tensor->nb[2];
    return layout;
  }

  void add_rows(const ggml_tensor* tensor) {
    TensorLayout layout = common(tensor);
    layout.cell_bytes = tensor->nb[1];
    layout.row_stride = layout.cell_bytes * layout.cells;
    out_.layouts.push_back(layout);
    out_.bytes_per_cell += layout.cell_bytes;
    out_.row_bytes_per_cell += layout.cell_bytes;
  }

  const llama_kv_cache& cache_;
  KvLayout& out_;
  std::vector<const ggml_tensor*> seen_;
  std::uint64_t left_out_ = 0;
};

/// Padding counts as free, so a buffer with anything in it that is no K or V must stay untouched.
bool holds_only_known_tensors(const KvLayout& layout) {
  std::uint64_t buffer_bytes = 0;
  for (const BufferExtent& buffer : layout.buffers) buffer_bytes += buffer.end - buffer.begin;
  std::uint64_t tensor_bytes = 0;
  for (const TensorLayout& t : layout.layouts) {
    tensor_bytes += t.cell_bytes * t.cells * t.rows * t.streams;
  }
  return buffer_bytes >= tensor_bytes &&
         buffer_bytes - tensor_bytes <= kMaxPaddingPerTensor * (layout.tensors + 1);
}

}  // namespace

KvLayout read_kv_layout(const llama_kv_cache& cache, const llama_model& model) {
  KvLayout out;
  LayoutReader reader(cache, out);
  const std::vector<std::uint32_t> layers = cache.get_layer_ids();
  const bool has_v = !model.hparams.is_mla();  // latent attention keeps K rows alone
  const GgmlContext views(ggml_init({.mem_size = (layers.size() + 1) * ggml_tensor_overhead(),
                                     .mem_buffer = nullptr,
                                     .no_alloc = true}));
  llama_kv_cache::slot_info first_stream{};
  for (const std::uint32_t layer : layers) {
    const auto il = static_cast<std::int32_t>(layer);
    reader.add_k(cache.get_k_storage(il));
    if (!has_v || views == nullptr) continue;
    const ggml_tensor* view = cache.get_v(views.get(), il, 1, first_stream);
    reader.add_v(view->view_src, view->nb[1] > view->nb[2]);
  }
  if (reader.left_out() > 0) {
    out.problems.push_back(std::to_string(reader.left_out()) + " KV tensors of " +
                           std::to_string(reader.left_out() + out.tensors) +
                           " are not in plain host memory");
  }
  if (views == nullptr || !holds_only_known_tensors(out)) {
    out.problems.push_back("KV buffer holds tensors of unknown use, so its pages stay");
    out.layouts.clear();
  }
  if (out.transposed_rows > 0) {
    out.problems.push_back(
        "V cache is transposed (flash attention off): a page of it comes back only when " +
        std::to_string(4096 / std::max<std::uint64_t>(out.transposed_cell_bytes, 1)) +
        " neighbouring cells are free");
  }
  return out;
}

}  // namespace kvpsi
