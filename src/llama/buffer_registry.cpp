// SPDX-License-Identifier: MIT
// See buffer_registry.h. MADV_DONTFORK is set here and undone before the memory goes back to
// malloc, which may hand it out again.
#include "llama/buffer_registry.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "linux/pages.h"
#include "llama/elastic.h"

namespace kvpsi {

namespace {

thread_local const void* current_owner = nullptr;

PageRange pages_inside(ggml_backend_buffer_t buffer) {
  const auto base = std::bit_cast<std::uintptr_t>(ggml_backend_buffer_get_base(buffer));
  return round_inwards(base, base + ggml_backend_buffer_get_size(buffer));
}

}  // namespace

bool is_plain_host_buffer(ggml_backend_buffer_t buffer) {
  return buffer != nullptr && ggml_backend_buffer_get_size(buffer) > 0 &&
         ggml_backend_buffer_get_type(buffer) == ggml_backend_cpu_buffer_type() &&
         ggml_backend_buffer_get_base(buffer) != nullptr;
}

BufferRegistry& BufferRegistry::instance() {
  // Never destroyed: contexts may be freed by destructors that run after ours would.
  static BufferRegistry* const registry = new BufferRegistry;
  return *registry;
}

void BufferRegistry::add(ggml_backend_buffer_t buffer) {
  if (current_owner == nullptr || !is_plain_host_buffer(buffer)) return;
  const PageRange pages = pages_inside(buffer);
  if (pages.begin >= pages.end) return;
  const std::lock_guard lock(mutex_);
  const bool known =
      std::ranges::any_of(entries_, [&](const Entry& entry) { return entry.buffer == buffer; });
  if (known) return;
  const bool kept = is_elastic() && set_dont_fork({&pages, 1}).has_value();
  entries_.push_back({buffer, pages, current_owner, kept});
}

void BufferRegistry::remove(ggml_backend_buffer_t buffer) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(entries_, buffer, &Entry::buffer);
  if (found == entries_.end()) return;
  if (found->is_kept_from_forks) {
    static_cast<void>(
        madvise(std::bit_cast<void*>(found->pages.begin), found->pages.bytes(), MADV_DOFORK));
  }
  entries_.erase(found);
}

void BufferRegistry::pass_on(const void* from, const void* to) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.owner == from) entry.owner = to;
  }
}

void BufferRegistry::collect(const void* owner) {
  for (const Entry& entry : entries_) {
    if (entry.owner == owner) ranges_.push_back(entry.pages);
  }
  std::ranges::sort(ranges_, {}, &PageRange::begin);
}

BufferOwner::BufferOwner(const void* owner) : previous_(current_owner) { current_owner = owner; }
BufferOwner::~BufferOwner() { current_owner = previous_; }

}  // namespace kvpsi
