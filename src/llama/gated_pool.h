// SPDX-License-Identifier: MIT
// GatedPool: the part of a MemoryPool that decides when. The engine's mutex is held by the
// inference thread for a whole decode; the governor only tries it, and where it fails leaves a
// request that the engine serves at its next safe point. Nothing here waits for the engine.
// Next hops: kv_pool.h and scratch_pool.h say what is done, governed_state.h where safe points are.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/fixed_vector.h"
#include "govern/ports.h"

namespace kvpsi {

/// Where the engine stands when a pool may act.
enum class Moment : std::uint8_t {
  at_rest,        ///< no decode runs; any thread that holds the engine's mutex
  before_decode,  ///< inference thread, inside the decode call, before the real one
  in_decode,      ///< inference thread, between the graphs of one decode
  after_decode,   ///< inference thread, the real call has returned and the engine is synchronised
};

/// Held for a whole decode, and by whoever acts on a pool otherwise.
struct EngineGate {
  std::mutex mutex;
  bool attached = true;  ///< guarded by mutex; false once the context is gone
};

/// No safe point takes longer than this for giving memory back, so that a token is never late by
/// more. Requests that need more time go on at the next one.
inline constexpr std::uint64_t kSafePointBudgetUs = 20'000;

class GatedPool : public MemoryPool {
 public:
  GatedPool(PoolKind kind, EngineGate& gate) : kind_(kind), gate_(gate) { view_.kind = kind; }

  // MemoryPool, governor thread.
  PoolKind kind() const final { return kind_; }
  PoolView view() final;
  Outcome apply(const Action& action) final;
  void drain(Outcomes& ended) final;

  /// Serves what may be served now. Engine's mutex held. Costs one atomic load when nothing waits.
  void serve(Moment moment);

  /// Publishes a fresh view. Engine's mutex held.
  void publish();

  /// The governor asked for a view while the engine was busy. Any thread.
  bool is_view_wanted() const { return view_wanted_.load(std::memory_order_relaxed); }

 protected:
  // All with the engine's mutex held.
  virtual PoolView look() = 0;
  /// `so_far`: what earlier safe points did for the same request (bytes, tokens, time).
  virtual Outcome perform(const Action& action, Moment moment, const Outcome& so_far) = 0;
  /// May this verb be carried out at this moment at all?
  virtual bool is_allowed(Verb verb, Moment moment) const = 0;
  /// 0, or the errno that says why the pool will never do it (ENOTSUP, EPERM).
  virtual int refusal(Verb verb) const = 0;

 private:
  struct Request {
    Action action;
    Outcome so_far;  ///< sums over earlier safe points

    bool operator==(const Request&) const = default;
  };

  Outcome run(const Action& action, Moment moment, const Outcome& so_far);
  Outcome enqueue(const Action& action);
  bool serve_one(Moment moment);
  bool is_overruled(std::size_t index) const;
  void end_request(std::size_t index, const Request& request, const Outcome& outcome);

  const PoolKind kind_;
  EngineGate& gate_;
  std::atomic<bool> view_wanted_{false};
  std::atomic<std::uint32_t> waiting_{0};

  std::mutex mutex_;  // guards what follows; held for copies only
  PoolView view_;
  FixedVector<Request, 8> requests_;
  Outcomes ended_;
};

}  // namespace kvpsi
