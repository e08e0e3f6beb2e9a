// SPDX-License-Identifier: MIT
// JournalWriter: takes ticks from the governor and writes them as JSON lines from a thread of its
// own. A slow or full disk loses lines (counted) but never slows the governor down: on_tick copies
// into a queue that was allocated at open. Next hop: journal/tick_json.h, docs/journal-format.md.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "govern/ports.h"
#include "policy/config.h"

namespace kvpsi {

/// How a journal fares.
struct JournalStatus {
  std::uint64_t lines_written = 0;  ///< ticks; the config line does not count
  std::uint64_t ticks_dropped = 0;  ///< the queue was full: the oldest waiting tick gave way
  std::optional<Error> error;       ///< the first write that failed; nothing is written after it
};

/// Appends nothing to an existing file: it is replaced. Ticks still queued are written when the
/// object goes.
class JournalWriter : public EventSink {
 public:
  static constexpr std::size_t kQueueTicks = 256;

  /// Creates the file and starts the thread. Errors: io, permission, not_found (no such folder),
  /// each with the path and errno. With a config, the file begins with a line that holds it, so
  /// that a replay needs nothing else; a disk that refuses it shows in status().
  static Result<std::unique_ptr<JournalWriter>> open(
      const std::string& path, const std::optional<PolicyConfig>& config = std::nullopt);

  /// Writes what is queued, ends the thread, closes the file.
  ~JournalWriter() override;
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  /// Queues a copy. Governor thread; allocates nothing, waits at most for a copy of one tick.
  void on_tick(const Tick& tick) override;

  /// Any thread.
  JournalStatus status() const;

  /// Waits until every tick queued so far is with the kernel, then says how it went. Any thread
  /// but the governor's.
  JournalStatus flush();

 private:
  JournalWriter(int fd, std::string path);
  void write_config(const PolicyConfig& config);
  void write_loop();

  const int fd_;
  const std::string path_;
  mutable std::mutex mutex_;
  std::condition_variable queued_;
  std::condition_variable written_;
  std::vector<Tick> queue_;  ///< a ring of kQueueTicks
  std::size_t first_ = 0;
  std::size_t waiting_ = 0;
  bool writing_ = false;  ///< one tick is out of the queue but not yet in the file
  bool closing_ = false;
  JournalStatus status_;
  std::thread thread_;
};

}  // namespace kvpsi
