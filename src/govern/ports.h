// SPDX-License-Identifier: MIT
// Start here: the six things the governor needs from the outside world. Real ones live in linux/,
// llama/ and journal/, synthetic ones in sim/ and the tests; the governor cannot tell them apart.
// Must not include anything but base/ and model/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
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
  /// answers `failed` with ENOTSUP. Asked to spill or trim, a pool ends a restore that waits or
  /// runs at its next safe point: `done`, with what is back by then, or `nothing`.
  virtual Outcome apply(const Action& action) = 0;

  /// The most live bytes that new work may fill from now on (running work goes on); empty = as
  /// configured. Governor thread, each turn; must not block. Pools that do not grow by work of
  /// their own ignore it.
  virtual void set_budget(std::optional<std::uint64_t> /*live_bytes_most*/) {}

  /// Whether what all pools may take at once (PoolView::surge_bytes) did not fit in this turn: who
  /// can take less at once does. Governor thread, each turn; must not block.
  virtual void set_tight(bool /*is_tight*/) {}

  /// Moves the outcomes of queued actions that have ended since the last call into `ended`, as many
  /// as fit; the rest stays for the next call. Governor thread.
  virtual void drain(Outcomes& ended) = 0;
};

/// What the bytes of a spilled block are. Part of its checksum: a block read back for anything else
/// than what was written there does not verify.
struct SpillIdentity {
  std::uint64_t context = 0;   ///< digest of the model, its cache types and this context
  std::uint64_t sequence = 0;  ///< of the first cell
  std::uint64_t first_position = 0;
  std::uint64_t last_position = 0;
  std::uint64_t first_layer = 0;
  std::uint64_t last_layer = 0;
  std::uint64_t serial = 0;  ///< number of the block within its context, never used twice

  bool operator==(const SpillIdentity&) const = default;
};

/// Where a block lies. Owned by whoever wrote it; erase() ends it.
struct SpillBlock {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  ///< of payload
  std::uint64_t checksum = 0;
  SpillIdentity identity;

  bool operator==(const SpillBlock&) const = default;
};

/// How the store stands. Totals count payload since it was opened.
struct SpillUse {
  std::uint64_t held_bytes = 0;    ///< payload not erased yet, lost blocks among it
  std::uint64_t budget_bytes = 0;  ///< most that held_bytes may become
  std::uint64_t written_bytes_total = 0;
  std::uint64_t read_bytes_total = 0;
  std::uint64_t write_errors_total = 0;  ///< refused or failed, `exhausted` among them
  std::uint64_t lost_blocks_total = 0;   ///< did not verify or could not be read
};

/// A place outside memory for bytes that must come back as they are. Any thread, several at once;
/// only write, read and return_space wait for the disk. What a crash leaves of it is nothing.
/// Next hop: spill_worker.h, so that the engine need not wait either.
class SpillStore {
 public:
  virtual ~SpillStore() = default;

  /// Most payload of one block, and what buffers and their sizes must be a multiple of.
  static constexpr std::uint64_t kMaxBlockBytes = 8 * 1024 * 1024;
  static constexpr std::uint64_t kAlignment = 4096;

  /// Writes buffer[0, bytes). The buffer starts on kAlignment and its size is a multiple of it and
  /// at least `bytes`, which is not 0; from `bytes` up to the next multiple of kAlignment it is
  /// overwritten with zeros. Blocks until the device has taken it, which may take seconds on a
  /// slow one. Errors: exhausted (budget, daily budget, disk full), io, invalid_argument (sizes);
  /// nothing is kept then.
  virtual Result<SpillBlock> write(const SpillIdentity& identity, std::span<std::byte> buffer,
                                   std::uint64_t bytes) = 0;

  /// Reads the block into buffer[0, block.bytes) and verifies it; the buffer as for write. On an
  /// error the buffer's contents mean nothing and the block counts as lost; it is still to be
  /// erased. Errors: io, malformed (it does not verify or the file has been cut), invalid_argument.
  virtual Result<void> read(const SpillBlock& block, std::span<std::byte> buffer) = 0;

  /// Gives the block's space back, to the next block at once and to the disk with return_space().
  /// Each block once. Never waits for the disk.
  virtual void erase(const SpillBlock& block) = 0;

  /// Returns one piece of erased space to the disk, which may wait for it. True: there is more.
  virtual bool return_space() { return false; }

  /// How long a writer should still wait before its next write so that others get at the disk, in
  /// microseconds; 0 = write now. Advice: write() does not wait for it, and reads need not heed it.
  virtual std::uint64_t pause_us() { return 0; }

  /// Payload that fits now. 0 once the store has failed for good.
  virtual std::uint64_t room_bytes() = 0;

  virtual SpillUse use() const = 0;
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
