// SPDX-License-Identifier: MIT
// KVPSI_ASSERT: contracts between our own functions, on in every build. A broken one means that
// live memory may be about to be released, so stopping is the safe answer. Must not be used for
// anything that the kernel, a file or a user can cause: those are Results or Outcomes.
#pragma once

namespace kvpsi::detail {

/// Writes one line to stderr with write(2), without allocating, and ends the process.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace kvpsi::detail

#define KVPSI_ASSERT(expression) \
  (static_cast<bool>(expression) \
       ? static_cast<void>(0)    \
       : ::kvpsi::detail::assertion_failed(#expression, __FILE__, __LINE__))
