// SPDX-License-Identifier: MIT
// Builds small GGUF headers for tests: keys and tensors in the order they are added.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace kvpsi::test {

/// Appends little-endian values in the layout of ggml's docs/gguf.md.
class GgufBuilder {
 public:
  GgufBuilder& text(std::string_view key, std::string_view value) {
    start_key(key, 8);
    put_text(keys_, value);
    return *this;
  }
  GgufBuilder& u32(std::string_view key, std::uint32_t value) {
    start_key(key, 4);
    put(keys_, value);
    return *this;
  }
  GgufBuilder& list_of_texts(std::string_view key, std::uint64_t count) {
    start_key(key, 9);
    put(keys_, std::uint32_t{8});
    put(keys_, count);
    for (std::uint64_t i = 0; i < count; ++i) put_text(keys_, "piece");
    return *this;
  }
  GgufBuilder& list_of_u32(std::string_view key, std::uint64_t count) {
    start_key(key, 9);
    put(keys_, std::uint32_t{4});
    put(keys_, count);
    for (std::uint64_t i = 0; i < count; ++i) put(keys_, std::uint32_t{3});
    return *this;
  }
  /// `bytes` must be what the type and shape need; the next tensor follows at the alignment.
  GgufBuilder& tensor(std::string_view name, std::vector<std::uint64_t> shape, std::uint32_t type,
                      std::uint64_t bytes) {
    put_text(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t n : shape) put(tensors_, n);
    put(tensors_, type);
    put(tensors_, data_bytes_);
    data_bytes_ += (bytes + 31) / 32 * 32;
    ++tensor_count_;
    return *this;
  }
  /// The header with the weights' bytes missing; file_bytes() tells how long the file would be.
  std::string build(std::uint32_t version = 3) const {
    std::string out = "GGUF";
    put(out, version);
    put(out, tensor_count_);
    put(out, key_count_);
    out += keys_;
    out += tensors_;
    return out;
  }
  std::uint64_t file_bytes() const { return (build().size() + 31) / 32 * 32 + data_bytes_; }
  /// The whole file, weights zero.
  std::string build_file() const {
    std::string out = build();
    out.resize(file_bytes(), '\0');
    return out;
  }

 private:
  template <class T>
  static void put(std::string& out, T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    out.append(raw, sizeof(T));
  }
  static void put_text(std::string& out, std::string_view value) {
    put(out, static_cast<std::uint64_t>(value.size()));
    out += value;
  }
  void start_key(std::string_view key, std::uint32_t type) {
    put_text(keys_, key);
    put(keys_, type);
    ++key_count_;
  }

  std::string keys_;
  std::string tensors_;
  std::uint64_t key_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t data_bytes_ = 0;
};

/// A llama-like model: 2 layers, 3 KV heads of 64, an embedding of `type` and no output matrix.
inline GgufBuilder small_llama(std::uint32_t matrix_type, std::uint64_t matrix_bytes) {
  GgufBuilder builder;
  builder.text("general.architecture", "llama")
      .text("general.name", "Tiny")
      .list_of_texts("tokenizer.ggml.tokens", 20)
      .u32("llama.context_length", 8192)
      .u32("llama.block_count", 2)
      .u32("llama.embedding_length", 576)
      .u32("llama.attention.head_count", 9)
      .u32("llama.attention.head_count_kv", 3)
      .tensor("token_embd.weight", {64, 32}, 8, 64 * 32 / 32 * 34)
      .tensor("blk.0.attn_q.weight", {64, 64}, matrix_type, matrix_bytes)
      .tensor("blk.0.attn_norm.weight", {64}, 0, 64 * 4);
  return builder;
}

}  // namespace kvpsi::test
