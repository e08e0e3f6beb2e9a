// SPDX-License-Identifier: MIT
// The wraps around ggml's buffers: KV memory that is never committed before it is written, nor by
// a copy of what was not, pages that begin where buffers begin, scratch known by name. With elastic
// off they only count and pass on. Next hops: wraps_decode.cpp (safe points), buffer_registry.h.
#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "base/bytes.h"
#include "ggml-impl.h"
#include "linux/pages.h"
#include "linux/sparse_copy.h"
#include "llama/buffer_registry.h"
#include "llama/elastic.h"
#include "llama/real_functions.h"
#include "llama/wrap_counts.h"

namespace {

/// Smaller blocks are no KV or scratch and not worth a page of their own.
constexpr std::size_t kPageAlignedFrom = 64 * kvpsi::kKiB;
/// Smaller buffers are quicker to zero than to unmap.
constexpr std::size_t kElasticFrom = 1 * kvpsi::kMiB;

static_assert(std::is_same_v<decltype(__real_ggml_aligned_malloc), decltype(ggml_aligned_malloc)>);
static_assert(std::is_same_v<decltype(__real_ggml_backend_buffer_clear),
                             decltype(ggml_backend_buffer_clear)>);
static_assert(
    std::is_same_v<decltype(__real_ggml_backend_buffer_free), decltype(ggml_backend_buffer_free)>);
static_assert(std::is_same_v<decltype(__real_ggml_backend_buffer_set_usage),
                             decltype(ggml_backend_buffer_set_usage)>);

static_assert(
    std::is_same_v<decltype(__real_ggml_backend_tensor_copy), decltype(ggml_backend_tensor_copy)>);

/// Whether both lie as one block in host memory of their own.
bool is_plain_copy(const ggml_tensor& from, const ggml_tensor& to) {
  return kvpsi::is_plain_host_buffer(from.buffer) && kvpsi::is_plain_host_buffer(to.buffer) &&
         from.data != to.data && ggml_are_same_layout(&from, &to) && ggml_is_contiguous(&from);
}

/// Zeroes a buffer by dropping its pages, edges by hand. False when the kernel refuses (mlock).
bool zero_by_release(ggml_backend_buffer_t buffer) {
  const auto begin = std::bit_cast<std::uintptr_t>(ggml_backend_buffer_get_base(buffer));
  const std::uintptr_t end = begin + ggml_backend_buffer_get_size(buffer);
  const kvpsi::PageRange pages = kvpsi::round_inwards(begin, end);
  if (pages.begin >= pages.end) return false;
  // Huge pages would bring 2 MiB back with each written row; a wish, so the result does not matter.
  static_cast<void>(kvpsi::forbid_huge_pages({&pages, 1}));
  if (madvise(std::bit_cast<void*>(pages.begin), pages.bytes(), MADV_DONTNEED) != 0) return false;
  std::memset(std::bit_cast<void*>(begin), 0, pages.begin - begin);
  std::memset(std::bit_cast<void*>(pages.end), 0, end - pages.end);
  return true;
}

}  // namespace

extern "C" {

void* __wrap_ggml_aligned_malloc(std::size_t size) {
  kvpsi::count_call(kvpsi::Wrap::ggml_aligned_malloc);
  if (!kvpsi::is_elastic() || size < kPageAlignedFrom) return __real_ggml_aligned_malloc(size);
  void* memory = nullptr;  // freed by ggml_aligned_free, which is free()
  return posix_memalign(&memory, kvpsi::page_bytes(), size) == 0 ? memory : nullptr;
}

void __wrap_ggml_backend_buffer_clear(ggml_backend_buffer_t buffer, std::uint8_t value) {
  kvpsi::count_call(kvpsi::Wrap::ggml_backend_buffer_clear);
  if (kvpsi::is_elastic() && value == 0 && kvpsi::is_plain_host_buffer(buffer) &&
      ggml_backend_buffer_get_size(buffer) >= kElasticFrom && zero_by_release(buffer)) {
    return;
  }
  __real_ggml_backend_buffer_clear(buffer, value);
}

void __wrap_ggml_backend_buffer_set_usage(ggml_backend_buffer_t buffer,
                                          enum ggml_backend_buffer_usage usage) {
  kvpsi::count_call(kvpsi::Wrap::ggml_backend_buffer_set_usage);
  __real_ggml_backend_buffer_set_usage(buffer, usage);
  if (usage == GGML_BACKEND_BUFFER_USAGE_COMPUTE) {
    kvpsi::BufferRegistry::instance().add(buffer);
  } else {
    kvpsi::BufferRegistry::instance().remove(buffer);
  }
}

/// llama.cpp copies a sequence to another stream of the KV cache as a whole, some 34 MiB of a
/// context of 1,536 tokens for the 2 MiB of rows that there are (llama_kv_cache::update).
void __wrap_ggml_backend_tensor_copy(const struct ggml_tensor* src, struct ggml_tensor* dst) {
  kvpsi::count_call(kvpsi::Wrap::ggml_backend_tensor_copy);
  const bool is_large = src != dst && ggml_nbytes(src) >= kPageAlignedFrom;
  if (!kvpsi::is_elastic() || !is_large || !is_plain_copy(*src, *dst)) {
    return __real_ggml_backend_tensor_copy(src, dst);
  }
  kvpsi::copy_sparsely({static_cast<const std::byte*>(src->data), ggml_nbytes(src)},
                       {static_cast<std::byte*>(dst->data), ggml_nbytes(dst)});
}

void __wrap_ggml_backend_buffer_free(ggml_backend_buffer_t buffer) {
  kvpsi::count_call(kvpsi::Wrap::ggml_backend_buffer_free);
  kvpsi::BufferRegistry::instance().remove(buffer);
  __real_ggml_backend_buffer_free(buffer);
}

}  // extern "C"
