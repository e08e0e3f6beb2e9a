// SPDX-License-Identifier: MIT
// What the host says of a response when it begins: on which terms its sequence is governed while it
// is made. Plain data. Next hop: kv_pool_host.cpp.
#pragma once

#include <cstdint>
#include <span>

#include "llama.h"

namespace kvpsi {

struct ResponseTerms {
  /// Its context may be reduced. Where it may not, the sequence is whole when it is decoded, so far
  /// as there is room: what was trimmed of it comes back, what is gone and what was evaluated
  /// without it is evaluated anew from the prompt.
  bool may_trim = false;
  std::int16_t priority = 0;  ///< the lowest is reduced first
  /// One token a position; empty: not known, or not of that kind. Copied.
  std::span<const llama_token> prompt;
};

}  // namespace kvpsi
