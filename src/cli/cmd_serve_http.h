// SPDX-License-Identifier: MIT
// What a governed server says over HTTP besides llama-server: its own routes, and 503 for new work
// where memory is short. From snapshots alone: nothing here waits for the engine. Next hops:
// serve/routes.h, policy/admission.h, llama/server_hooks.h calls.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cli/governor_thread.h"
#include "serve/gate.h"
#include "serve/request_wish.h"
#include "serve/routes.h"

namespace kvpsi {

/// Any thread, once made. Before set_governor nobody is refused and there is no turn to show.
class ServeHttp final : public RouteHost {
 public:
  /// `admission` false: nobody is ever refused; else who cannot start now waits for its turn as
  /// long as `wait_us`. `facts`: what does not change, of the snapshot.
  ServeHttp(ServerSnapshot facts, bool admission, std::uint64_t wait_us)
      : facts_(std::move(facts)),
        admission_(admission),
        gate_([this](const Workload& work) { return judge(work); }, wait_us) {}

  /// From the moment that the governor runs; null before it ends.
  void set_governor(GovernorThread* governor) { governor_.store(governor); }
  void set_not_governed(std::vector<std::string> clauses);

  /// A request that has come begins, and end_work follows; or its refusal. `is_gone`: whether its
  /// client has hung up; may be empty.
  std::expected<RequestWish, HttpResponse> begin_work(std::string_view body,
                                                      const std::function<bool()>& is_gone = {});
  /// `is_reduced`: it was answered with a reduced context.
  void end_work(bool is_reduced);

  ServerSnapshot snapshot() const override;
  bool give_back() override;
  bool set_paused(bool paused) override;

 private:
  Admission judge(Workload work) const;
  Governor* acting() const;

  ServerSnapshot facts_;
  const bool admission_;
  const std::uint64_t start_us_ = monotonic_us();
  mutable std::mutex mutex_;  ///< guards not_governed_
  std::vector<std::string> not_governed_;
  std::atomic<GovernorThread*> governor_{nullptr};
  Gate gate_;
  std::atomic<std::uint64_t> admitted_{0};
  std::atomic<std::uint64_t> reduced_{0};
  std::array<std::atomic<std::uint64_t>, kRefusals.size() + 1> refused_{};  ///< by Refusal
};

}  // namespace kvpsi
