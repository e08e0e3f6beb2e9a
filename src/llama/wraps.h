// SPDX-License-Identifier: MIT
// What the files of wraps share. A wrap that llama.cpp calls from within a decode of ours must not
// take the engine's mutex again. Next hops: wraps_decode.cpp, wraps_cells.cpp, wraps_memory.cpp.
#pragma once

#include <cstdint>
#include <mutex>
#include <type_traits>

#include "llama/attached.h"
#include "llama/governed_state.h"
#include "llama/real_functions.h"
#include "llama/wrap_counts.h"

/// A changed shape in llama.cpp does not fail to link.
#define KVPSI_SAME_SHAPE(name) \
  static_assert(std::is_same_v<decltype(__real_##name), decltype(name)>)

namespace kvpsi {

/// The attached context whose decode runs on this thread, its mutex held; null if none.
GovernedState* decoding_on_this_thread();

/// Runs a call that reads or changes cells: `before(KvPool&)` sees to it that what it needs is in
/// memory, `after(KvPool&, result)` is told what it did.
template <class Before, class F, class After>
auto ring(GovernedState* state, Before before, F real, After after) {
  KvPool* const kv = state != nullptr && state != decoding_on_this_thread() ? state->kv() : nullptr;
  if (kv == nullptr) return real();
  const std::lock_guard lock(state->engine());
  before(*kv);
  if constexpr (std::is_void_v<decltype(real())>) {
    real();
    after(*kv);
  } else {
    const auto result = real();
    after(*kv, result);
    return result;
  }
}

/// A call that reads the rows of a sequence, or of all (-1). It returns true or a number of bytes
/// if it did.
template <class F>
auto read_state(llama_context* context, llama_seq_id seq, F real, StatePlace place = {}) {
  return ring(
      find_attached(context), [seq](KvPool& kv) { kv.before_state_read(seq); }, real,
      [=](KvPool& kv, auto result) { kv.after_state_read(seq, result != 0, place); });
}

/// A call that replaces them. It returns true or a number of bytes if it did.
template <class F>
auto write_state(llama_context* context, llama_seq_id seq, F real, StatePlace place = {}) {
  return ring(
      find_attached(context), [seq](KvPool& kv) { kv.before_state_write(seq); }, real,
      [=](KvPool& kv, auto result) { kv.after_state_write(seq, result != 0, place); });
}

}  // namespace kvpsi
