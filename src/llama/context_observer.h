// SPDX-License-Identifier: MIT
// Who is told of contexts as they come and go, for hosts that make them on their own: a server
// probes, sleeps, wakes, loads a draft model. Next hops: wraps_decode.cpp tells,
// governed_contexts.h listens.
#pragma once

struct llama_context;
struct llama_model;

namespace kvpsi {

class ContextObserver {
 public:
  virtual ~ContextObserver() = default;
  /// On the thread that made it. False: it is freed again, and making it fails.
  virtual bool on_created(llama_model* model, llama_context* context) = 0;
  /// It is about to be freed; whatever was attached to it is detached.
  virtual void on_freeing(const llama_context* context) = 0;
};

/// One for the process; null: nobody. Set before the first context is made.
void set_context_observer(ContextObserver* observer);
ContextObserver* context_observer();

}  // namespace kvpsi
