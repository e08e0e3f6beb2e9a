// SPDX-License-Identifier: MIT
// The governor of one run on its thread: pressure source, journal, policy configuration. Next hops:
// linux/kernel_source (where pressure comes from), govern/governor (the loop).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "base/result.h"
#include "cli/cmd_run_options.h"
#include "cli/cmd_run_record.h"
#include "govern/governor.h"
#include "journal/writer.h"
#include "linux/kernel_source.h"

namespace kvpsi {

/// Made before the model is loaded, so that a wrong path ends the run at once; started after.
class RunGovernor {
 public:
  /// Opens the source and the journal. Errors: as KernelSource::open and JournalWriter::open.
  static Result<std::unique_ptr<RunGovernor>> open(const RunOptions& options);
  ~RunGovernor() { stop(); }
  RunGovernor(const RunGovernor&) = delete;
  RunGovernor& operator=(const RunGovernor&) = delete;

  /// Starts the thread. The pools must outlive it.
  void start(std::span<MemoryPool* const> pools, std::uint64_t file_wanted_bytes);

  /// Ends the thread and closes the journal; may be called twice.
  void stop();

  /// Null before start().
  Governor* governor() { return governor_.get(); }

  /// The last turn; nothing before the first. Any thread, after start().
  std::optional<Tick> last_tick() const;

  /// Source, window granted, privileges: one line.
  std::string describe_source() const { return source_->describe(); }

  /// What was counted. After stop().
  GovernorRecord record() const;

  /// How the journal fared; nothing without one. After stop().
  std::optional<JournalStatus> journal_status() const { return journal_status_; }

 private:
  RunGovernor(const RunOptions& options, std::unique_ptr<KernelSource> source,
              std::unique_ptr<JournalWriter> journal);

  GovernorOptions options_;
  std::uint64_t soft_max_bytes_;  ///< at the start; 0 = none
  bool enabled_;
  std::unique_ptr<KernelSource> source_;
  std::unique_ptr<JournalWriter> journal_;
  TickCounter counter_;
  std::unique_ptr<Governor> governor_;
  std::jthread thread_;
  std::uint64_t cpu_us_ = 0;  ///< written by the thread at its end
  std::optional<JournalStatus> journal_status_;
};

}  // namespace kvpsi
