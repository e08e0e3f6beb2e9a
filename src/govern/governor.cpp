// SPDX-License-Identifier: MIT
// The loop's body; see governor.h.
#include "govern/governor.h"

#include "base/clock.h"

namespace kvpsi {

Governor::Governor(const GovernorOptions& options, PressureSource& source,
                   std::span<MemoryPool* const> pools, Clock& clock, EventSink& sink)
    : config_(options.policy),
      config_hash_(options.policy.hash()),
      law_(options.law),
      dry_run_(options.dry_run),
      source_(source),
      pools_(pools),
      clock_(clock),
      sink_(sink) {}

void Governor::step() {
  if (wake_after_us_ != 0) source_.wait(wake_after_us_);
  const std::uint64_t cpu_before_us = thread_cpu_us();

  Tick tick;
  tick.observation = observe();
  Decided decided = law_(state_, tick.observation, config_);
  state_ = decided.state;
  wake_after_us_ = decided.decision.wake_after_us;
  if (!dry_run_) {
    for (MemoryPool* pool : pools_) pool->set_tight(surge_missing_bytes(decided.signal) > 0);
    act(decided.decision);
  }

  tick.signal = decided.signal;
  tick.decision = decided.decision;
  tick.config_hash = config_hash_;
  tick.state_hash = state_hash(state_);
  tick.dry_run = dry_run_;
  tick.cost_us = thread_cpu_us() - cpu_before_us;
  publish(tick);
  sink_.on_tick(tick);
}

void Governor::run(std::stop_token stop) {
  const std::stop_callback end_wait(stop, [this] { source_.wake(); });
  while (!stop.stop_requested()) step();
}

Observation Governor::observe() {
  Observation observation;
  observation.give_back_asked = give_back_asked_.exchange(false);
  observation.paused = paused();
  observation.kv_soft_max_bytes = soft_max();
  observation.sample = source_.sample();
  observation.outcomes = outcomes_;
  outcomes_.clear();
  for (MemoryPool* pool : pools_) {
    pool->drain(observation.outcomes);
    observation.pools.push_back(pool->view());
  }
  return observation;
}

/// The actions share one time budget: what no time is left for is reported as cut short, so that
/// the law asks for it again.
void Governor::act(const Decision& decision) {
  if (MemoryPool* kv = find_pool(PoolKind::kv)) kv->set_budget(decision.kv_budget_bytes);
  const std::uint64_t start_us = clock_.now_us();
  for (Action action : decision.actions) {
    const std::uint64_t spent_us = clock_.now_us() - start_us;
    Outcome outcome{.decision_id = action.decision_id, .verb = action.verb, .pool = action.pool};
    MemoryPool* pool = find_pool(action.pool);
    if (pool == nullptr) {
      outcome.status = Status::nothing;
      outcome.t_us = clock_.now_us();
    } else if (spent_us >= action.budget_us) {
      outcome.status = Status::more;
      outcome.t_us = clock_.now_us();
    } else {
      action.budget_us -= spent_us;
      outcome = pool->apply(action);
    }
    outcomes_.push_back(outcome);
  }
}

void Governor::publish(const Tick& tick) {
  const std::unique_lock lock(published_mutex_, std::try_to_lock);
  if (lock.owns_lock()) published_ = tick;
}

MemoryPool* Governor::find_pool(PoolKind kind) const {
  for (MemoryPool* pool : pools_) {
    if (pool->kind() == kind) return pool;
  }
  return nullptr;
}

void Governor::ask_give_back() {
  give_back_asked_.store(true);
  source_.wake();
}

void Governor::toggle_pause() {
  pause_toggles_.fetch_xor(1);
  source_.wake();
}

bool Governor::paused() const { return pause_toggles_.load() != 0; }

void Governor::set_soft_max(std::optional<std::uint64_t> bytes) {
  soft_max_bytes_.store(bytes.value_or(kNoSoftMax));
  source_.wake();
}

std::optional<std::uint64_t> Governor::soft_max() const {
  const std::uint64_t bytes = soft_max_bytes_.load();
  return bytes == kNoSoftMax ? std::nullopt : std::optional(bytes);
}

Tick Governor::last_tick() const {
  const std::lock_guard lock(published_mutex_);
  return published_;
}

}  // namespace kvpsi
