// SPDX-License-Identifier: MIT
// Governor: the loop. Wait, observe, decide, act, tell; nothing else. Knows only the ports and
// the pure policy, so it runs alike on a kernel, in a simulation and in a test. Must not allocate
// in step() (memory is short exactly then) and never waits for the engine. Next hop:
// policy/decide.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>

#include "govern/ports.h"
#include "policy/decide.h"

namespace kvpsi {

/// A law with the signature of decide(): the real one, or a rival to compare it with, which may
/// remember things of its own. Whoever makes one sees to it that a call allocates nothing and
/// depends on nothing but earlier calls and its arguments.
using Law = std::function<Decided(const PolicyState&, const Observation&, const PolicyConfig&)>;

struct GovernorOptions {
  PolicyConfig policy;
  bool dry_run = false;  ///< decide and tell, but touch no pool
  Law law = &decide;
};

/// Governs the given pools by the pressure that the source reports. All references must outlive
/// it. step() and run() belong to one thread, everything else may be called from any.
class Governor {
 public:
  Governor(const GovernorOptions& options, PressureSource& source,
           std::span<MemoryPool* const> pools, Clock& clock, EventSink& sink);
  Governor(const Governor&) = delete;
  Governor& operator=(const Governor&) = delete;

  /// One turn: waits as long as the last decision said (the first turn does not wait), then
  /// observes, decides, acts and tells. Allocates nothing.
  void step();

  /// step() until a stop is asked for, which also ends a wait.
  void run(std::stop_token stop);

  /// Asks to release everything that is free, once, now. Any thread, and signal handlers.
  void ask_give_back();

  /// Pauses governing or resumes it. Any thread, and signal handlers.
  void toggle_pause();

  /// Whether governing is paused. Any thread, and signal handlers.
  bool paused() const;

  /// Sets the goal for live KV that new work keeps to from the next turn on; empty lifts it. Ends
  /// a running wait. See policy/soft_max.h for what it never does. Any thread, and signal handlers.
  void set_soft_max(std::optional<std::uint64_t> bytes);

  /// The goal in force. Any thread, and signal handlers.
  std::optional<std::uint64_t> soft_max() const;

  /// The last turn, whole; one with decision.id 0 before the first. Any thread but a signal
  /// handler. May lag one turn behind when two threads ask at the same instant.
  Tick last_tick() const;

 private:
  static constexpr std::uint64_t kNoSoftMax = UINT64_MAX;

  Observation observe();
  void act(const Decision& decision);
  void publish(const Tick& tick);
  MemoryPool* find_pool(PoolKind kind) const;

  const PolicyConfig config_;
  const std::uint64_t config_hash_;
  const Law law_;
  const bool dry_run_;
  PressureSource& source_;
  const std::span<MemoryPool* const> pools_;
  Clock& clock_;
  EventSink& sink_;

  PolicyState state_;
  std::uint64_t wake_after_us_ = 0;
  Outcomes outcomes_;  ///< of the last turn's immediate actions, input of the next decision

  std::atomic<bool> give_back_asked_{false};
  std::atomic<unsigned> pause_toggles_{0};  ///< odd = paused
  std::atomic<std::uint64_t> soft_max_bytes_{kNoSoftMax};

  mutable std::mutex published_mutex_;  ///< the governor only ever tries it
  Tick published_;
};

static_assert(std::atomic<bool>::is_always_lock_free &&
                  std::atomic<unsigned>::is_always_lock_free &&
                  std::atomic<std::uint64_t>::is_always_lock_free,
              "signal handlers set these");

}  // namespace kvpsi
