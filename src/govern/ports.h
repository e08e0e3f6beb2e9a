// SPDX-License-Identifier: MIT
// Start here: the five things the governor needs from the outside world. Real ones live in linux/,
// llama/ and journal/, synthetic ones in sim/ and the tests; the governor cannot tell them apart.
// Must not include anything but base/ and model/.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/action.h"
#include "model/pool_view.h"
#include "model/sample.h"
#include "model/tick.h"

namespace kvpsi {

/// Why PressureSource::wait returned.
enum class Wake : std::uint8_t {
  timeout,  ///< the time is over
  trigger,  ///< the kernel (or a FIFO or socket in its place) reported pressure
  asked,    ///< wake() was called
};

/// Tells when to look, and what is there.
class PressureSource {
 public:
  virtual ~PressureSource() = default;

  /// Blocks until a trigger fires, wake() is called or timeout_us has passed. Governor thread only.
  /// Never fails: a source that is lost falls back to time alone and says so in its description.
  virtual Wake wait(std::uint64_t timeout_us) = 0;

  /// Ends a running or the next wait(). Any thread, async-signal-safe.
  virtual void wake() = 0;

  /// Reads all sources now. Governor thread only; allocates nothing once warm. Sources that
  /// cannot be read leave their fields empty.
  virtual Sample sample() = 0;
};

/// Memory that can be given back: KV cells, compute scratch, heap, prompt cache.
class MemoryPool {
 public:
  virtual ~MemoryPool() = default;

  virtual PoolKind kind() const = 0;

  /// The latest published state. Governor thread; never blocks on the engine.
  virtual PoolView view() = 0;

  /// Carries the action out now if the engine is at rest, else leaves it for the engine's next
  /// safe point and returns `queued`. Governor thread; never blocks on the engine's mutex and takes
  /// no longer than action.budget_us (one granule more at most). A pool that does not know the verb
  /// answers `failed` with ENOTSUP.
  virtual Outcome apply(const Action& action) = 0;

  /// The most live bytes that new work may fill from now on (running work goes on); empty = as
  /// configured. Governor thread, each turn; must not block. Pools that do not grow by work of
  /// their own ignore it.
  virtual void set_budget(std::optional<std::uint64_t> /*live_bytes_most*/) {}

  /// Moves the outcomes of queued actions that have ended since the last call into `ended`, as many
  /// as fit; the rest stays for the next call. Governor thread.
  virtual void drain(Outcomes& ended) = 0;
};

/// Monotonic time, microseconds.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::uint64_t now_us() = 0;
};

/// Receives every tick. Called on the governor thread; must not block (a slow disk must not slow
/// the governor down) and must not throw.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_tick(const Tick& tick) = 0;
};

}  // namespace kvpsi
