// SPDX-License-Identifier: MIT
// The public face over GovernedState; see elastic.h.
#include "llama/elastic.h"

#include <malloc.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "base/bytes.h"
#include "llama/governed_state.h"
#include "llama/sequence_cells.h"

namespace kvpsi {

namespace {

std::atomic<bool> elastic{false};

}  // namespace

void set_elastic(bool on) {
  elastic.store(on, std::memory_order_relaxed);
  // A fixed threshold: glibc otherwise raises it to the size of the last freed mapping, and later
  // buffers would lie in the heap, where malloc's own chunks share their pages.
  if (on) mallopt(M_MMAP_THRESHOLD, static_cast<int>(kMiB));
}

bool is_elastic() { return elastic.load(std::memory_order_relaxed); }

GovernedContext::GovernedContext(std::unique_ptr<GovernedState> state) : state_(std::move(state)) {}
GovernedContext::~GovernedContext() = default;

Result<std::unique_ptr<GovernedContext>> GovernedContext::attach(llama_model* model,
                                                                 llama_context* context,
                                                                 const GovernOptions& options) {
  auto state = GovernedState::create(model, context, options);
  if (!state) return std::unexpected(state.error());
  return std::unique_ptr<GovernedContext>(new GovernedContext(std::move(*state)));
}

std::span<MemoryPool* const> GovernedContext::pools() { return state_->pools(); }
std::span<const std::string> GovernedContext::ungoverned() const { return state_->ungoverned(); }
SelfCheck GovernedContext::self_check() { return state_->self_check(); }
bool GovernedContext::can_trim() const { return state_->can_trim(); }
WeightBytes GovernedContext::weights() const { return state_->weights(); }
ContextMemory GovernedContext::measure() { return state_->measure(); }
void GovernedContext::pin(std::int32_t sequence, bool pinned) { state_->pin(sequence, pinned); }
std::vector<std::string> GovernedContext::take_losses() { return state_->take_losses(); }
std::vector<std::string> GovernedContext::take_losses_at_rest() {
  return state_->take_losses_at_rest();
}
std::uint64_t GovernedContext::kv_cells_left() { return state_->kv_cells_left(); }
std::uint64_t GovernedContext::sequence_tokens(std::int32_t sequence) {
  const std::lock_guard lock(state_->engine());
  return state_->context() == nullptr ? 0 : count_sequence_cells(state_->memory(), sequence);
}
TokenAccount GovernedContext::sequence_account(std::int32_t sequence) {
  return state_->sequence_account(sequence);
}
SequenceBooks GovernedContext::settle(std::int32_t sequence) { return state_->settle(sequence); }
std::uint64_t GovernedContext::make_room(std::uint32_t cells) { return state_->make_room(cells); }

}  // namespace kvpsi
