// SPDX-License-Identifier: MIT
// See attached.h.
#include "llama/attached.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "llama/governed_state.h"

namespace kvpsi {

namespace {

struct Table {
  std::mutex mutex;
  std::vector<GovernedState*> states;
  std::atomic<std::size_t> size{0};
};

Table& table() {
  static Table* const table = new Table;  // outlives destructors of globals that free contexts
  return *table;
}

template <class Matches>
GovernedState* find_if(Matches matches) {
  Table& all = table();
  if (all.size.load(std::memory_order_acquire) == 0) return nullptr;
  const std::lock_guard lock(all.mutex);
  const auto found = std::ranges::find_if(all.states, matches);
  return found == all.states.end() ? nullptr : *found;
}

}  // namespace

void add_attached(GovernedState* state) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  all.states.push_back(state);
  all.size.store(all.states.size(), std::memory_order_release);
}

void remove_attached(const GovernedState* state) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  std::erase(all.states, state);
  all.size.store(all.states.size(), std::memory_order_release);
}

GovernedState* find_attached(const llama_context* context) {
  return find_if([context](const GovernedState* state) { return state->context() == context; });
}

GovernedState* find_attached(llama_memory_t memory) {
  return find_if([memory](const GovernedState* state) { return state->memory() == memory; });
}

bool is_cache_attached(std::uintptr_t base_address) {
  return find_if([base_address](GovernedState* state) {
           return state->kv() != nullptr && state->kv()->base_address() == base_address;
         }) != nullptr;
}

}  // namespace kvpsi
