// SPDX-License-Identifier: MIT
// See gated_pool.h. Order of locks: engine gate, then the pool's own mutex; the governor takes the
// gate only with try_lock.
#include "llama/gated_pool.h"

#include <algorithm>
#include <cerrno>

#include "base/clock.h"

namespace kvpsi {

namespace {

Outcome answer(const Action& action, Status status, int error = 0) {
  Outcome outcome;
  outcome.decision_id = action.decision_id;
  outcome.verb = action.verb;
  outcome.pool = action.pool;
  outcome.status = status;
  outcome.errno_value = error;
  outcome.t_us = monotonic_us();
  return outcome;
}

}  // namespace

PoolView GatedPool::view() {
  std::unique_lock gate(gate_.mutex, std::try_to_lock);
  if (gate.owns_lock()) {
    publish();
  } else {
    view_wanted_.store(true, std::memory_order_relaxed);
  }
  const std::lock_guard lock(mutex_);
  return view_;
}

Outcome GatedPool::apply(const Action& action) {
  if (const int error = refusal(action.verb); error != 0) {
    return answer(action, Status::failed, error);
  }
  std::unique_lock gate(gate_.mutex, std::try_to_lock);
  if (!gate.owns_lock() || !is_allowed(action.verb, Moment::at_rest)) return enqueue(action);
  if (!gate_.attached) return answer(action, Status::nothing);
  const Outcome outcome = run(action);
  publish();
  return outcome;
}

void GatedPool::drain(Outcomes& ended) {
  if (waiting_.load(std::memory_order_acquire) > 0) {
    // Left over from a decode that was the last one: nobody else would serve it.
    const std::unique_lock gate(gate_.mutex, std::try_to_lock);
    if (gate.owns_lock()) serve(Moment::at_rest);
  }
  const std::lock_guard lock(mutex_);
  Outcomes rest;
  for (const Outcome& outcome : ended_) {
    if (!ended.push_back(outcome)) rest.push_back(outcome);
  }
  ended_ = rest;
}

void GatedPool::serve(Moment moment) {
  if (waiting_.load(std::memory_order_acquire) == 0) return;
  const std::uint64_t start = monotonic_us();
  bool acted = false;
  while (monotonic_us() - start < kSafePointBudgetUs && serve_one(moment)) acted = true;
  if (acted) publish();
}

void GatedPool::publish() {
  view_wanted_.store(false, std::memory_order_relaxed);
  PoolView fresh;
  if (gate_.attached) fresh = look();
  fresh.kind = kind_;
  fresh.t_us = monotonic_us();
  const std::lock_guard lock(mutex_);
  view_ = fresh;
}

Outcome GatedPool::run(const Action& action) {
  Action bounded = action;
  bounded.budget_us =
      action.budget_us == 0 ? kSafePointBudgetUs : std::min(action.budget_us, kSafePointBudgetUs);
  const std::uint64_t start = monotonic_us();
  Outcome outcome = perform(bounded);
  outcome.decision_id = action.decision_id;
  outcome.verb = action.verb;
  outcome.pool = action.pool;
  outcome.t_us = monotonic_us();
  outcome.duration_us = outcome.t_us - start;
  return outcome;
}

Outcome GatedPool::enqueue(const Action& action) {
  const std::lock_guard lock(mutex_);
  if (!requests_.push_back({.action = action})) return answer(action, Status::failed, EAGAIN);
  waiting_.store(static_cast<std::uint32_t>(requests_.size()), std::memory_order_release);
  return answer(action, Status::queued);
}

/// Serves the oldest request that may be served now; false when there is none, when it has to go on
/// later, or when nobody collects the outcomes.
bool GatedPool::serve_one(Moment moment) {
  Request request;
  std::size_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    while (index < requests_.size() && !is_allowed(requests_[index].action.verb, moment)) ++index;
    if (index == requests_.size() || ended_.full()) return false;
    request = requests_[index];
  }
  Outcome outcome = gate_.attached ? run(request.action) : answer(request.action, Status::nothing);
  request.bytes_released += outcome.bytes_released;
  request.tokens_trimmed += outcome.tokens_trimmed;
  request.duration_us += outcome.duration_us;
  if (outcome.status == Status::more) {
    const std::lock_guard lock(mutex_);
    requests_[index] = request;
    return false;
  }
  end_request(index, request, outcome);
  return true;
}

/// Only the holder of the engine's mutex removes requests, so the index still holds.
void GatedPool::end_request(std::size_t index, const Request& request, Outcome outcome) {
  outcome.bytes_released = request.bytes_released;
  outcome.tokens_trimmed = request.tokens_trimmed;
  outcome.duration_us = request.duration_us;
  if (outcome.status == Status::nothing && outcome.bytes_released > 0)
    outcome.status = Status::done;
  const std::lock_guard lock(mutex_);
  FixedVector<Request, 8> rest;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (i != index) rest.push_back(requests_[i]);
  }
  requests_ = rest;
  waiting_.store(static_cast<std::uint32_t>(requests_.size()), std::memory_order_release);
  ended_.push_back(outcome);
}

}  // namespace kvpsi
