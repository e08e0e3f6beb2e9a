// SPDX-License-Identifier: MIT
// See gate.h. What ends a shortage is a turn of the governor, which tells nobody: the first in the
// line looks for it.
#include "serve/gate.h"

#include <chrono>
#include <iterator>

#include "base/clock.h"

namespace kvpsi {
namespace {

/// As often as the governor looks while memory is short.
constexpr auto kLookAgain = std::chrono::milliseconds(100);

}  // namespace

Admission Gate::enter(const std::function<bool()>& is_gone) {
  std::unique_lock lock(mutex_);
  const std::uint64_t request = ++arrived_;
  Admission admission = judge_({.running = running_, .waiting = line_.size(), .request = request});
  const bool may_wait = wait_us_ > 0 && line_.size() < kMostWaiting;
  if (!admission.admits() && may_wait) admission = wait(lock, request, is_gone);
  if (admission.admits()) ++running_;
  return admission;
}

Admission Gate::wait(std::unique_lock<std::mutex>& lock, std::uint64_t request,
                     const std::function<bool()>& is_gone) {
  const auto self = line_.insert(line_.end(), request);
  const std::uint64_t deadline_us = monotonic_us() + wait_us_;
  Admission admission;
  bool is_over = false;
  while (!is_over) {
    changed_.wait_for(lock, kLookAgain);
    lock.unlock();  // whether the client has hung up is a system call
    const bool has_left = is_gone && is_gone();
    lock.lock();
    const auto before = static_cast<std::uint64_t>(std::distance(line_.begin(), self));
    admission = judge_({.running = running_, .waiting = before, .request = request});
    is_over = admission.admits() || has_left || monotonic_us() >= deadline_us;
  }
  line_.erase(self);
  changed_.notify_all();
  return admission;
}

void Gate::leave() {
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_all();
}

Admission Gate::look() const {
  const std::lock_guard lock(mutex_);
  return judge_({.running = running_, .waiting = line_.size(), .request = arrived_});
}

std::uint64_t Gate::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

std::uint64_t Gate::waiting() const {
  const std::lock_guard lock(mutex_);
  return line_.size();
}

}  // namespace kvpsi
