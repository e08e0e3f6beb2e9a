// SPDX-License-Identifier: MIT
// The GGUF header parser; see gguf_header.h. Every length in the file is compared with what is left
// before it is used, so that a garbled file costs neither memory nor time.
#include "base/gguf_header.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/gguf_types.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMostTensors = 1'000'000;  // the largest models have some ten thousand
constexpr std::uint64_t kMostKeys = 1'000'000;
constexpr int kMostNesting = 4;

/// Reads little-endian values; the first failure sticks, so callers check once at the end.
class Cursor {
 public:
  Cursor(std::string_view head, std::uint64_t file_bytes) : head_(head), file_bytes_(file_bytes) {}

  template <class T>
  T read() {
    T value{};
    if (!take(sizeof(T))) return value;
    std::memcpy(&value, head_.data() + at_ - sizeof(T), sizeof(T));
    return value;
  }
  std::string_view read_text() {
    const auto length = read<std::uint64_t>();
    if (!take(length)) return {};
    return head_.substr(at_ - length, length);
  }
  /// Steps over `count` values of `size` bytes.
  void skip(std::uint64_t count, std::uint64_t size) {
    if (size != 0 && count > std::numeric_limits<std::uint64_t>::max() / size) {
      reject("a list longer than any file");
      return;
    }
    take(count * size);
  }
  void reject(std::string what) {
    if (!error_) error_ = Error{ErrorCode::malformed, "not a usable GGUF header: " + what, {}, 0};
  }
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }
  std::uint64_t at() const { return at_; }

 private:
  bool take(std::uint64_t bytes) {
    if (failed()) return false;
    if (bytes <= head_.size() - at_) {
      at_ += bytes;
      return true;
    }
    if (at_ > file_bytes_ || bytes > file_bytes_ - at_) {
      error_ = Error{ErrorCode::malformed,
                     "the file ends inside its header at byte " + std::to_string(at_) +
                         ": it is truncated or damaged, fetch it again",
                     {},
                     0};
    } else {
      error_ = Error{ErrorCode::exhausted, "the header is longer than the bytes read", {}, 0};
    }
    return false;
  }

  std::string_view head_;
  std::uint64_t file_bytes_;
  std::uint64_t at_ = 0;
  std::optional<Error> error_;
};

// Value types of docs/gguf.md.
enum ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};

std::uint64_t scalar_size(std::uint32_t type) {
  switch (type) {
    case kUint8:
    case kInt8:
    case kBool:
      return 1;
    case kUint16:
    case kInt16:
      return 2;
    case kUint32:
    case kInt32:
    case kFloat32:
      return 4;
    case kUint64:
    case kInt64:
    case kFloat64:
      return 8;
    default:
      return 0;
  }
}

void skip_value(Cursor& cursor, std::uint32_t type, int depth);

void skip_array(Cursor& cursor, int depth) {
  const auto element = cursor.read<std::uint32_t>();
  const auto count = cursor.read<std::uint64_t>();
  if (const std::uint64_t size = scalar_size(element); size != 0) {
    cursor.skip(count, size);
    return;
  }
  if (depth >= kMostNesting) return cursor.reject("lists nested too deep");
  for (std::uint64_t i = 0; i < count && !cursor.failed(); ++i) {
    skip_value(cursor, element, depth + 1);
  }
}

void skip_value(Cursor& cursor, std::uint32_t type, int depth) {
  if (type == kString) {
    cursor.read_text();
  } else if (type == kArray) {
    skip_array(cursor, depth);
  } else if (const std::uint64_t size = scalar_size(type); size != 0) {
    cursor.skip(1, size);
  } else {
    cursor.reject("unknown value type " + std::to_string(type));
  }
}

/// Reads an unsigned number of any integer width; anything else is stepped over and empty.
std::optional<std::uint64_t> read_count(Cursor& cursor, std::uint32_t type) {
  switch (type) {
    case kUint8:
    case kInt8:
      return cursor.read<std::uint8_t>();
    case kUint16:
    case kInt16:
      return cursor.read<std::uint16_t>();
    case kUint32:
    case kInt32:
      return cursor.read<std::uint32_t>();
    case kUint64:
    case kInt64:
      return cursor.read<std::uint64_t>();
    default:
      skip_value(cursor, type, 0);
      return std::nullopt;
  }
}

/// The number that a key "<architecture>.<suffix>" sets; nullptr for keys of no interest.
std::optional<std::uint64_t>* field_of(GgufHeader& header, std::string_view key) {
  const std::string& arch = header.architecture;
  if (arch.empty() || !key.starts_with(arch) || key.size() <= arch.size() + 1 ||
      key[arch.size()] != '.') {
    return nullptr;
  }
  key.remove_prefix(arch.size() + 1);
  if (key == "context_length") return &header.context_length;
  if (key == "block_count") return &header.block_count;
  if (key == "embedding_length") return &header.embedding_length;
  if (key == "attention.head_count") return &header.head_count;
  if (key == "attention.head_count_kv") return &header.head_count_kv;
  if (key == "attention.key_length") return &header.key_length;
  if (key == "attention.value_length") return &header.value_length;
  if (key == "attention.sliding_window") return &header.sliding_window;
  return nullptr;
}

/// Reads all keys; returns the alignment of the weights.
std::uint64_t read_keys(Cursor& cursor, std::uint64_t keys, GgufHeader& header) {
  std::uint64_t alignment = kDefaultAlignment;
  for (std::uint64_t i = 0; i < keys && !cursor.failed(); ++i) {
    const std::string_view key = cursor.read_text();
    const auto type = cursor.read<std::uint32_t>();
    if (cursor.failed()) break;
    if (type == kString && (key == "general.architecture" || key == "general.name")) {
      (key == "general.name" ? header.name : header.architecture) = cursor.read_text();
    } else if (key == "general.alignment") {
      alignment = read_count(cursor, type).value_or(0);
    } else if (auto* field = field_of(header, key)) {
      *field = read_count(cursor, type);
    } else {
      skip_value(cursor, type, 0);
    }
  }
  if (!cursor.failed() && (alignment == 0 || alignment > (1U << 20))) {
    cursor.reject("alignment " + std::to_string(alignment));
  }
  return alignment;
}

const GgufType* find_type(std::uint32_t type) {
  const auto* found = std::ranges::find(kGgufTypes, type, &GgufType::type);
  return found == kGgufTypes.end() ? nullptr : found;
}

/// One tensor's line of the header.
struct Tensor {
  std::string_view name;
  std::uint32_t dims = 0;
  std::uint64_t ne[4] = {1, 1, 1, 1};
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// values * block_bytes / block_values, or empty where that overflows.
std::optional<std::uint64_t> tensor_bytes(const Tensor& tensor) {
  std::uint64_t values = 1;
  for (const std::uint64_t n : tensor.ne) {
    if (__builtin_mul_overflow(values, n, &values)) return std::nullopt;
  }
  const GgufType* type = find_type(tensor.type);
  if (type == nullptr) return 0;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(values / type->block_values, type->block_bytes, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

Tensor read_tensor(Cursor& cursor) {
  Tensor tensor;
  tensor.name = cursor.read_text();
  tensor.dims = cursor.read<std::uint32_t>();
  if (tensor.dims > 4) {
    cursor.reject("a tensor of " + std::to_string(tensor.dims) + " dimensions");
    return tensor;
  }
  for (std::uint32_t d = 0; d < tensor.dims; ++d) tensor.ne[d] = cursor.read<std::uint64_t>();
  tensor.type = cursor.read<std::uint32_t>();
  tensor.offset = cursor.read<std::uint64_t>();
  if (cursor.failed()) return tensor;
  if (const auto bytes = tensor_bytes(tensor)) {
    tensor.bytes = *bytes;
  } else {
    cursor.reject("tensor '" + std::string(tensor.name) + "' is larger than any file");
  }
  return tensor;
}

GgufTypeShare& share_of(GgufHeader& header, std::uint32_t type) {
  const auto found = std::ranges::find(header.types, type, &GgufTypeShare::type);
  if (found != header.types.end()) return *found;
  return header.types.emplace_back(GgufTypeShare{.type = type});
}

/// Adds all tensors to the header; returns the end of the last one, relative to the data.
std::uint64_t read_tensors(Cursor& cursor, GgufHeader& header) {
  std::uint64_t end = 0;
  bool has_output = false;
  Tensor embedding;
  for (std::uint64_t i = 0; i < header.tensors && !cursor.failed(); ++i) {
    const Tensor tensor = read_tensor(cursor);
    std::uint64_t tensor_end = 0;
    if (cursor.failed()) break;
    if (__builtin_add_overflow(tensor.offset, tensor.bytes, &tensor_end)) {
      cursor.reject("tensor '" + std::string(tensor.name) + "' lies outside any file");
      break;
    }
    end = std::max(end, tensor_end);
    header.tensor_bytes += tensor.bytes;
    GgufTypeShare& share = share_of(header, tensor.type);
    ++share.tensors;
    share.bytes += tensor.bytes;
    has_output = has_output || tensor.name == "output.weight";
    if (tensor.name == "token_embd.weight") {
      embedding = tensor;
    } else if (tensor.dims >= 2 && tensor.ne[1] % 8 == 0) {
      share.matmul_bytes += tensor.bytes;
    }
  }
  // Without an output matrix llama.cpp multiplies with the embedding, through a second tensor.
  if (!cursor.failed() && !has_output && embedding.dims >= 2 && embedding.ne[1] % 8 == 0) {
    share_of(header, embedding.type).matmul_bytes += embedding.bytes;
  }
  return end;
}

}  // namespace

Result<GgufHeader> parse_gguf_header(std::string_view head, std::uint64_t file_bytes) {
  if (head.size() < 4 || !head.starts_with("GGUF")) {
    return fail(ErrorCode::malformed, "not a GGUF file: it does not start with 'GGUF'");
  }
  Cursor cursor(head, file_bytes);
  cursor.skip(4, 1);
  GgufHeader header;
  header.version = cursor.read<std::uint32_t>();
  if (!cursor.failed() && header.version != 2 && header.version != 3) {
    return fail(ErrorCode::malformed, "GGUF version " + std::to_string(header.version) +
                                          " is unknown: versions 2 and 3 work");
  }
  header.tensors = cursor.read<std::uint64_t>();
  const auto keys = cursor.read<std::uint64_t>();
  if (!cursor.failed() && (header.tensors > kMostTensors || keys > kMostKeys)) {
    cursor.reject("it claims " + std::to_string(header.tensors) + " tensors and " +
                  std::to_string(keys) + " keys");
  }
  const std::uint64_t alignment = cursor.failed() ? 1 : read_keys(cursor, keys, header);
  const std::uint64_t end = cursor.failed() ? 0 : read_tensors(cursor, header);
  if (cursor.failed()) return std::unexpected(cursor.error());
  if (header.architecture.empty()) {
    return fail(ErrorCode::malformed, "the header names no architecture");
  }
  header.data_offset = (cursor.at() + alignment - 1) / alignment * alignment;
  if (end > 0 && (header.data_offset > file_bytes || end > file_bytes - header.data_offset)) {
    return fail(ErrorCode::malformed, "the weights end at byte " +
                                          std::to_string(header.data_offset + end) +
                                          ", the file at " + std::to_string(file_bytes) +
                                          ": it is truncated, fetch it again");
  }
  std::ranges::stable_sort(header.types, std::greater{}, &GgufTypeShare::bytes);
  return header;
}

std::string gguf_type_name(std::uint32_t type) {
  const GgufType* known = find_type(type);
  return known != nullptr ? known->name : "type " + std::to_string(type);
}

std::uint64_t expect_repacked_bytes(const GgufHeader& header, const CpuVectors& cpu) {
  std::uint64_t bytes = 0;
  for (const GgufTypeShare& share : header.types) {
    const bool with_avx2 = share.type == kGgufQ4_0 || share.type == kGgufQ4_K ||
                           share.type == kGgufIQ4_NL || share.type == kGgufMXFP4;
    const bool with_avx512 = share.type == kGgufQ2_K;
    if ((cpu.avx2 && with_avx2) || (cpu.avx512 && with_avx512)) bytes += share.matmul_bytes;
  }
  return bytes;
}

std::optional<std::uint64_t> kv_bytes_per_token(const GgufHeader& header) {
  constexpr std::uint64_t kF16Bytes = 2;
  constexpr std::uint64_t kSane = 1 << 24;  // keeps the product far from an overflow
  if (!header.block_count || !header.head_count_kv) return std::nullopt;
  std::uint64_t row = 0;
  if (header.key_length && header.value_length) {
    if (*header.key_length > kSane || *header.value_length > kSane) return std::nullopt;
    row = *header.key_length + *header.value_length;
  } else if (header.embedding_length && header.head_count && *header.head_count > 0 &&
             *header.embedding_length <= kSane) {
    row = 2 * (*header.embedding_length / *header.head_count);
  } else {
    return std::nullopt;
  }
  if (*header.block_count > (1 << 14) || *header.head_count_kv > (1 << 16)) return std::nullopt;
  return *header.block_count * *header.head_count_kv * row * kF16Bytes;
}

}  // namespace kvpsi
