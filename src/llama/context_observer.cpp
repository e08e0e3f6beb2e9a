// SPDX-License-Identifier: MIT
// See context_observer.h.
#include "llama/context_observer.h"

#include <atomic>

namespace kvpsi {

namespace {

std::atomic<ContextObserver*> current{nullptr};

}  // namespace

void set_context_observer(ContextObserver* observer) { current.store(observer); }
ContextObserver* context_observer() { return current.load(); }

}  // namespace kvpsi
