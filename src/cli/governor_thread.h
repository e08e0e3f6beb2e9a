// SPDX-License-Identifier: MIT
// The governor of a governed process on its thread: pressure source, journal, what was counted.
// Next hops: linux/kernel_source (where pressure comes from), govern/governor (the loop).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "base/result.h"
#include "cli/tick_counter.h"
#include "govern/governor.h"
#include "journal/writer.h"
#include "linux/kernel_source.h"
#include "serve/tick_totals.h"

namespace kvpsi {

/// What a command wants of its governor.
struct GovernorSetup {
  GovernorOptions options;
  bool enabled = true;               ///< false: the thread only records what it sees
  std::uint64_t soft_max_bytes = 0;  ///< at the start; 0 = none
  std::string journal;               ///< path; empty: none
  std::string psi_own;               ///< pressure files in place of the kernel's; empty: these
  std::string psi_parent;
  std::string psi_system;
};

/// Made before the model is loaded, so that a wrong path ends the command at once; started after.
class GovernorThread {
 public:
  /// Opens the source and the journal. Errors: as KernelSource::open and JournalWriter::open.
  static Result<std::unique_ptr<GovernorThread>> open(const GovernorSetup& setup);
  ~GovernorThread() { stop(); }
  GovernorThread(const GovernorThread&) = delete;
  GovernorThread& operator=(const GovernorThread&) = delete;

  /// What the source says now. Before start().
  Sample sample() { return source_->sample(); }

  /// Starts the thread. The pools must outlive it.
  void start(std::span<MemoryPool* const> pools, std::uint64_t file_wanted_bytes);

  /// Ends the thread and closes the journal; may be called twice.
  void stop();

  /// Acts on the pools or, in a dry run, decides about them; else it only records.
  bool is_enabled() const { return enabled_; }

  /// Null before start().
  Governor* governor() { return governor_.get(); }

  /// The last turn; nothing before the first. Any thread, after start().
  std::optional<Tick> last_tick() const;

  /// Source, window granted, privileges: one line.
  std::string describe_source() const { return source_->describe(); }

  /// Sums over its turns. Any thread.
  TickTotals totals() const { return totals_.get(); }

  /// What was counted. After stop().
  GovernorRecord record() const;

  /// How the journal fared; nothing without one. After stop().
  std::optional<JournalStatus> journal_status() const { return journal_status_; }

 private:
  GovernorThread(const GovernorSetup& setup, std::unique_ptr<KernelSource> source,
                 std::unique_ptr<JournalWriter> journal);

  const GovernorOptions options_;
  const std::uint64_t soft_max_bytes_;
  const bool enabled_;
  std::unique_ptr<KernelSource> source_;
  std::unique_ptr<JournalWriter> journal_;
  TotalsSink totals_;
  TickCounter counter_;
  std::unique_ptr<Governor> governor_;
  std::jthread thread_;
  std::uint64_t cpu_us_ = 0;  ///< written by the thread at its end
  std::optional<JournalStatus> journal_status_;
};

}  // namespace kvpsi
