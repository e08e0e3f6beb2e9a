// SPDX-License-Identifier: MIT
// What a GGUF model file says about itself before any weight: architecture, sizes, tensors by type.
// Pure: works on bytes in memory, trusts none of them, loads no weights. The format is ggml's
// docs/gguf.md, versions 2 and 3, little-endian. Next hop: base/gguf_file reads the bytes, the
// doctor tells from the result which weights stay file-backed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// All tensors of one type (ggml.h: enum ggml_type).
struct GgufTypeShare {
  std::uint32_t type = 0;
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;  ///< as stored in the file, without padding
  /// The part that enters matrix products with a row count that the CPU's repacked layouts accept
  /// (two or three dimensions, rows a multiple of 8, not the token embedding itself).
  std::uint64_t matmul_bytes = 0;
};

/// The header of one model file. Optional fields are keys that the file does not have.
struct GgufHeader {
  std::uint32_t version = 0;
  std::uint64_t tensors = 0;
  std::uint64_t data_offset = 0;   ///< where the weights begin
  std::uint64_t tensor_bytes = 0;  ///< all weights, without padding
  std::string architecture;        ///< "llama", "gemma3", ...
  std::string name;                ///< may be empty
  std::optional<std::uint64_t> context_length;
  std::optional<std::uint64_t> block_count;
  std::optional<std::uint64_t> embedding_length;
  std::optional<std::uint64_t> head_count;
  std::optional<std::uint64_t> head_count_kv;  ///< absent where it differs from layer to layer
  std::optional<std::uint64_t> key_length;
  std::optional<std::uint64_t> value_length;
  std::optional<std::uint64_t> sliding_window;
  std::vector<GgufTypeShare> types;  ///< largest first
};

/// Parses the first bytes of a model file of `file_bytes` bytes in all.
/// Errors: malformed (not GGUF, unknown version, a count or length that cannot be, a file that ends
/// before its weights do); exhausted where `head` is too short and a longer piece would help.
Result<GgufHeader> parse_gguf_header(std::string_view head, std::uint64_t file_bytes);

/// "Q4_1"; "type 99" for one that this version does not know.
std::string gguf_type_name(std::uint32_t type);

/// Which vector units decide about repacking on x86.
struct CpuVectors {
  bool avx2 = false;
  bool avx512 = false;
};

/// Bytes of weights that llama.cpp copies into anonymous memory on an x86 CPU instead of leaving
/// them in the mapped file (ggml-cpu/repack.cpp: ggml_repack_get_optimal_repack_type).
std::uint64_t expect_repacked_bytes(const GgufHeader& header, const CpuVectors& cpu);

/// KV cache bytes of one token at f16 over all layers; empty where the header does not tell.
std::optional<std::uint64_t> kv_bytes_per_token(const GgufHeader& header);

}  // namespace kvpsi
