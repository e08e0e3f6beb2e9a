// SPDX-License-Identifier: MIT
// See own_memory.h.
#include "linux/own_memory.h"

#include <malloc.h>

#include "base/clock.h"
#include "linux/kernel_file.h"
#include "linux/self_stat.h"

namespace kvpsi {

Result<OwnMemory> read_own_memory(const std::string& proc) {
  const std::string path = proc + "/self/status";
  const auto text = read_small_file(path);
  if (!text) return std::unexpected(text.error());
  auto status = parse_self_status(*text);
  if (!status) {
    return fail(status.error().code, status.error().what, path);
  }
  if (!status->rss_anon_bytes || !status->rss_file_bytes) {
    return fail(ErrorCode::unsupported, "the kernel does not tell RssAnon and RssFile", path);
  }
  return OwnMemory{.anon_bytes = *status->rss_anon_bytes,
                   .file_bytes = *status->rss_file_bytes,
                   .shmem_bytes = status->rss_shmem_bytes.value_or(0),
                   .swap_bytes = status->swap_bytes.value_or(0),
                   .hwm_bytes = status->hwm_bytes.value_or(0),
                   .locked_bytes = status->locked_bytes.value_or(0)};
}

Result<std::uint64_t> hwm_bytes(const std::string& proc) {
  const auto own = read_own_memory(proc);
  if (!own) return std::unexpected(own.error());
  return own->hwm_bytes;
}

Result<HeapTrim> trim_heap(const std::string& proc) {
  const auto before = read_own_memory(proc);
  const std::uint64_t start_us = monotonic_us();
  ::malloc_trim(0);
  const std::uint64_t took_us = monotonic_us() - start_us;
  const auto after = read_own_memory(proc);
  if (!before) return std::unexpected(before.error());
  if (!after) return std::unexpected(after.error());
  return HeapTrim{.anon_bytes_before = before->anon_bytes,
                  .anon_bytes_after = after->anon_bytes,
                  .took_us = took_us};
}

}  // namespace kvpsi
