// SPDX-License-Identifier: MIT
// Which buffers are compute scratch, and whose. Only a buffer that llama.cpp itself marked COMPUTE
// while creating or running a context is here: guessing by size would zero repacked weights,
// adapters, recurrent state or the logits. Next hop: scratch_pool.h releases them.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "base/page_range.h"
#include "ggml-backend.h"

namespace kvpsi {

/// All COMPUTE buffers in plain host memory. Any thread; lives as long as the program.
class BufferRegistry {
 public:
  static BufferRegistry& instance();

  /// Notes a buffer just marked COMPUTE as the property of this thread's current owner (see
  /// BufferOwner); ignored when there is none, or when the buffer is not plain host memory.
  void add(ggml_backend_buffer_t buffer);

  /// Forgets a buffer that is about to be freed.
  void remove(ggml_backend_buffer_t buffer);

  /// Hands everything that `from` owns to `to`.
  void pass_on(const void* from, const void* to);

  /// Calls use(std::span<const PageRange>) with the whole pages inside the owner's buffers. No
  /// buffer is freed meanwhile.
  template <class F>
  void with_pages_of(const void* owner, F use) {
    const std::lock_guard lock(mutex_);
    ranges_.clear();
    collect(owner);
    use(std::span<const PageRange>(ranges_));
  }

 private:
  struct Entry {
    ggml_backend_buffer_t buffer = nullptr;
    PageRange pages;
    const void* owner = nullptr;
    bool is_kept_from_forks = false;
  };
  void collect(const void* owner);

  std::mutex mutex_;
  std::vector<Entry> entries_;
  std::vector<PageRange> ranges_;
};

/// While it lives, COMPUTE buffers made on this thread belong to `owner`.
class BufferOwner {
 public:
  explicit BufferOwner(const void* owner);
  ~BufferOwner();
  BufferOwner(const BufferOwner&) = delete;
  BufferOwner& operator=(const BufferOwner&) = delete;

 private:
  const void* previous_;
};

/// True for memory that ggml allocated with malloc for the CPU and owns: private, anonymous, so
/// that a released page reads as zero. Mapped files, multi-buffers and devices are not.
bool is_plain_host_buffer(ggml_backend_buffer_t buffer);

}  // namespace kvpsi
