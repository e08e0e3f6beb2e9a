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

/// Adds what was done to what had been done before.
void add_up(const Outcome& step, Outcome& sum) {
  sum.bytes_released += step.bytes_released;
  sum.bytes_spilled += step.bytes_spilled;
  sum.bytes_restored += step.bytes_restored;
  sum.tokens_trimmed += step.tokens_trimmed;
  sum.tokens_restored += step.tokens_restored;
  sum.tokens_lost += step.tokens_lost;
  sum.duration_us += step.duration_us;
}

bool has_done_something(const Outcome& outcome) {
  return outcome.bytes_released + outcome.bytes_spilled + outcome.bytes_restored +
             outcome.tokens_trimmed + outcome.tokens_restored >
         0;
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
  const Outcome outcome = run(action, Moment::at_rest, {});
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

Outcome GatedPool::run(const Action& action, Moment moment, const Outcome& so_far) {
  Action bounded = action;
  bounded.budget_us =
      action.budget_us == 0 ? kSafePointBudgetUs : std::min(action.budget_us, kSafePointBudgetUs);
  const std::uint64_t start = monotonic_us();
  Outcome outcome = perform(bounded, moment, so_far);
  outcome.decision_id = action.decision_id;
  outcome.verb = action.verb;
  outcome.pool = action.pool;
  outcome.t_us = monotonic_us();
  outcome.duration_us = outcome.t_us - start;
  return outcome;
}

Outcome GatedPool::enqueue(const Action& action) {
  const std::lock_guard lock(mutex_);
  if (!requests_.push_back({action, {}})) return answer(action, Status::failed, EAGAIN);
  waiting_.store(static_cast<std::uint32_t>(requests_.size()), std::memory_order_release);
  return answer(action, Status::queued);
}

/// Serves the oldest request that may be served now; false when there is none, when it has to go on
/// later, or when nobody collects the outcomes.
bool GatedPool::serve_one(Moment moment) {
  Request request;
  std::size_t index = 0;
  bool overruled = false;
  {
    const std::lock_guard lock(mutex_);
    while (index < requests_.size() && !is_allowed(requests_[index].action.verb, moment)) ++index;
    if (index == requests_.size() || ended_.full()) return false;
    request = requests_[index];
    overruled = is_overruled(index);
  }
  Outcome outcome = gate_.attached && !overruled ? run(request.action, moment, request.so_far)
                                                 : answer(request.action, Status::nothing);
  add_up(outcome, request.so_far);
  if (outcome.status == Status::more) {
    const std::lock_guard lock(mutex_);
    requests_[index] = request;
    return false;
  }
  end_request(index, request, outcome);
  return true;
}

/// A restore ends when memory is asked for behind it. The pool's mutex is held.
bool GatedPool::is_overruled(std::size_t index) const {
  if (requests_[index].action.verb != Verb::restore) return false;
  for (std::size_t i = index + 1; i < requests_.size(); ++i) {
    const Verb verb = requests_[i].action.verb;
    if (verb == Verb::spill || verb == Verb::trim) return true;
  }
  return false;
}

/// Only the holder of the engine's mutex removes requests, so the index still holds.
void GatedPool::end_request(std::size_t index, const Request& request, const Outcome& outcome) {
  const Status status = outcome.status;
  Outcome sum = request.so_far;
  sum.decision_id = outcome.decision_id;
  sum.verb = outcome.verb;
  sum.pool = outcome.pool;
  sum.t_us = outcome.t_us;
  sum.errno_value = outcome.errno_value;
  sum.status = status == Status::nothing && has_done_something(sum) ? Status::done : status;
  const std::lock_guard lock(mutex_);
  FixedVector<Request, 8> rest;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (i != index) rest.push_back(requests_[i]);
  }
  requests_ = rest;
  waiting_.store(static_cast<std::uint32_t>(requests_.size()), std::memory_order_release);
  ended_.push_back(sum);
}

}  // namespace kvpsi
