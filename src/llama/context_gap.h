// SPDX-License-Identifier: MIT
// How much of its context a response had to do without: seen before each decode of its sequence,
// as positions that are not in the cache. It does not matter why they are missing: trimmed, lost on
// a disk that failed, or not in the state that was loaded. Plain numbers. Next hop:
// kv_pool_host.cpp.
#pragma once

#include <cstdint>

namespace kvpsi {

struct ContextGap {
  std::uint64_t trimmed = 0;   ///< were missing from one decode on
  std::uint64_t restored = 0;  ///< of these, were there again at a later one
  std::uint64_t missing = 0;   ///< at the last one

  bool is_reduced() const { return trimmed > 0; }

  /// So many are missing at the decode that is about to run.
  void look(std::uint64_t missing_now) {
    if (missing_now > missing) {
      trimmed += missing_now - missing;
    } else {
      restored += missing - missing_now;
    }
    missing = missing_now;
  }

  bool operator==(const ContextGap&) const = default;
};

}  // namespace kvpsi
