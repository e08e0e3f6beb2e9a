// SPDX-License-Identifier: MIT
// Gate: where requests for new work wait for their turn while memory is short, first come, first
// served. While others run, memory for one more often comes free within seconds; who waits for it
// here needs no second try, and the server is not idle between tries. Must not decide who may
// start: policy/admission.h does. Next hop: cli/cmd_serve_http.h.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <utility>

#include "policy/admission.h"

namespace kvpsi {

/// Any thread.
class Gate {
 public:
  /// What the policy says now to a request with this workload around it; the time is its own.
  using Judge = std::function<Admission(const Workload&)>;

  /// As many may wait; each holds one of the server's threads, of which it starts 1,024 at most.
  static constexpr std::size_t kMostWaiting = 64;

  Gate(Judge judge, std::uint64_t wait_us) : judge_(std::move(judge)), wait_us_(wait_us) {}

  /// Returns at once where the request is admitted or too many wait already; else when its turn has
  /// come, when it has waited too long, or when `is_gone` says that nobody waits for its answer.
  /// Where the result admits, leave() follows. `is_gone` may be empty.
  Admission enter(const std::function<bool()>& is_gone);
  /// What was admitted has ended.
  void leave();

  /// What one more would be told now.
  Admission look() const;
  std::uint64_t running() const;
  std::uint64_t waiting() const;

 private:
  Admission wait(std::unique_lock<std::mutex>& lock, std::uint64_t request,
                 const std::function<bool()>& is_gone);

  const Judge judge_;
  const std::uint64_t wait_us_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t running_ = 0;
  std::uint64_t arrived_ = 0;
  std::list<std::uint64_t> line_;  ///< numbers of the requests that wait, first come first
};

}  // namespace kvpsi
