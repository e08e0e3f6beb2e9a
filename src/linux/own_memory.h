// SPDX-License-Identifier: MIT
// Our own memory by kind, its peak, and the heap trim with its measured effect. These calls open
// files each time: for start-up, summaries and after actions, not for the sampling loop.
// Next hop: llama/ reports them, doctor shows them.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace kvpsi {

/// Resident memory of a process by kind, in bytes. Counters of the kernel may lag by a few pages a
/// thread (split RSS counting); pagemap.h and smaps.h are exact.
struct OwnMemory {
  std::uint64_t anon_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t shmem_bytes = 0;
  std::uint64_t swap_bytes = 0;
  std::uint64_t hwm_bytes = 0;     ///< peak of resident memory since start (or clear_refs 5)
  std::uint64_t locked_bytes = 0;  ///< mlocked: MADV_DONTNEED refuses such ranges
};

/// Reads /proc/self/status. Any thread. Errors: not_found, permission, io, malformed, unsupported
/// where the kernel does not split RSS (before 4.5).
Result<OwnMemory> read_own_memory(const std::string& proc = "/proc");

/// VmHWM in bytes. Errors as read_own_memory.
Result<std::uint64_t> hwm_bytes(const std::string& proc = "/proc");

/// What malloc_trim gave back.
struct HeapTrim {
  std::uint64_t anon_bytes_before = 0;
  std::uint64_t anon_bytes_after = 0;
  std::uint64_t took_us = 0;

  /// Never negative: other threads may allocate meanwhile.
  std::uint64_t bytes_returned() const {
    return anon_bytes_before > anon_bytes_after ? anon_bytes_before - anon_bytes_after : 0;
  }
};

/// malloc_trim(0), measured by RssAnon. Takes each arena's lock in turn: milliseconds for a big
/// fragmented heap. Any thread. Errors as read_own_memory (the trim is done all the same).
Result<HeapTrim> trim_heap(const std::string& proc = "/proc");

}  // namespace kvpsi
