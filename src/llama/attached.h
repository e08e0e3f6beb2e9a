// SPDX-License-Identifier: MIT
// Which contexts are attached. The wraps ask here at every call, so an empty or one-entry table
// must cost nothing worth measuring.
#pragma once

#include <cstdint>

#include "llama.h"

namespace kvpsi {

class GovernedState;

/// Any thread. A state must be removed before it is destroyed, by the thread that uses its context.
void add_attached(GovernedState* state);
void remove_attached(const GovernedState* state);

/// Null when the context (or the memory) is not attached.
GovernedState* find_attached(const llama_context* context);
GovernedState* find_attached(llama_memory_t memory);

/// True when an attached context's KV pages start at this address: a cache that two contexts share.
bool is_cache_attached(std::uintptr_t base_address);

}  // namespace kvpsi
