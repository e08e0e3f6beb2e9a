// SPDX-License-Identifier: MIT
// Tiny models for tests of src/llama: random weights, no tokenizer, written as GGUF by ggml itself,
// so that a decode takes a fraction of a millisecond and nothing is downloaded. A row of K or V is
// 384 bytes in f16, as in SmolLM2, so that pages and cells meet at the same odd places. What they
// say means nothing. Needs llama.cpp.
#pragma once

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "ggml.h"
#include "gguf.h"

namespace kvpsi::test {

/// A file that is gone with its owner.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("kvpsi-" + std::to_string(::getpid()) + "-" + name)) {}
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  std::string path() const { return path_.string(); }

 private:
  const std::filesystem::path path_;
};

/// Shape of a tiny model. A window makes it a gemma2, whose every other layer sees `window`
/// positions; without one it is a llama.
struct TinyShape {
  std::uint32_t window = 0;
  std::uint32_t layers = 2;
  std::uint32_t width = 64;
  std::uint32_t heads = 3;
  std::uint32_t kv_heads = 3;
  std::uint32_t head_size = 64;
  std::uint32_t inner = 96;
  std::uint32_t vocabulary = 256;
};

class TinyModelWriter {
 public:
  explicit TinyModelWriter(const TinyShape& shape)
      : shape_(shape),
        arch_(shape.window > 0 ? "gemma2" : "llama"),
        prng_(shape.window + 17),
        gguf_(gguf_init_empty()),
        tensors_(ggml_init({std::size_t{16} << 20, nullptr, false})) {
    add_keys();
    add("token_embd.weight", {shape.width, shape.vocabulary});
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) add_layer(layer);
    add("output_norm.weight", {shape.width});
  }
  ~TinyModelWriter() {
    ggml_free(tensors_);
    gguf_free(gguf_);
  }
  TinyModelWriter(const TinyModelWriter&) = delete;
  TinyModelWriter& operator=(const TinyModelWriter&) = delete;

  bool write(const std::string& path) const {
    return gguf_write_to_file(gguf_, path.c_str(), false);
  }

 private:
  void set(const std::string& key, std::uint32_t value) {
    gguf_set_val_u32(gguf_, (arch_ + "." + key).c_str(), value);
  }

  void add_keys() {
    gguf_set_val_str(gguf_, "general.architecture", arch_.c_str());
    gguf_set_val_str(gguf_, "general.name", "tiny");
    gguf_set_val_str(gguf_, "tokenizer.ggml.model", "no_vocab");
    set("vocab_size", shape_.vocabulary);
    set("context_length", 8192);
    set("block_count", shape_.layers);
    set("embedding_length", shape_.width);
    set("feed_forward_length", shape_.inner);
    set("attention.head_count", shape_.heads);
    set("attention.head_count_kv", shape_.kv_heads);
    set("attention.key_length", shape_.head_size);
    set("attention.value_length", shape_.head_size);
    set("rope.dimension_count", shape_.head_size);
    if (shape_.window > 0) set("attention.sliding_window", shape_.window);
    gguf_set_val_f32(gguf_, (arch_ + ".attention.layer_norm_rms_epsilon").c_str(), 1e-5F);
  }

  /// One dimension: a norm, near 1. Two: a matrix that keeps the scale of what goes through it.
  void add(const std::string& name, const std::vector<std::int64_t>& shape) {
    ggml_tensor* const tensor =
        ggml_new_tensor(tensors_, GGML_TYPE_F32, static_cast<int>(shape.size()), shape.data());
    ggml_set_name(tensor, name.c_str());
    auto* const values = static_cast<float*>(tensor->data);
    const bool is_norm = shape.size() == 1;
    const double spread = is_norm ? 0.2 : 3.0 / std::sqrt(static_cast<double>(shape[0]));
    for (std::int64_t i = 0; i < ggml_nelements(tensor); ++i) {
      values[i] = static_cast<float>((prng_.unit() - 0.5) * spread + (is_norm ? 1.0 : 0.0));
    }
    gguf_add_tensor(gguf_, tensor);
  }

  void add_layer(std::uint32_t layer) {
    const std::string at = "blk." + std::to_string(layer) + ".";
    const std::int64_t width = shape_.width;
    const std::int64_t inner = shape_.inner;
    const std::int64_t query = std::int64_t{shape_.heads} * shape_.head_size;
    const std::int64_t row = std::int64_t{shape_.kv_heads} * shape_.head_size;
    add(at + "attn_norm.weight", {width});
    add(at + "attn_q.weight", {width, query});
    add(at + "attn_k.weight", {width, row});
    add(at + "attn_v.weight", {width, row});
    add(at + "attn_output.weight", {query, width});
    add(at + "ffn_norm.weight", {width});
    add(at + "ffn_gate.weight", {width, inner});
    add(at + "ffn_up.weight", {width, inner});
    add(at + "ffn_down.weight", {inner, width});
    if (shape_.window == 0) return;
    add(at + "post_attention_norm.weight", {width});
    add(at + "post_ffw_norm.weight", {width});
  }

  const TinyShape shape_;
  const std::string arch_;
  Prng prng_;
  gguf_context* const gguf_;
  ggml_context* const tensors_;
};

}  // namespace kvpsi::test
