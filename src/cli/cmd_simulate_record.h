// SPDX-License-Identifier: MIT
// `kvpsi simulate --journal` and `--plot`: what is kept of one run besides its score. Next hops:
// journal/writer.h, report/sim_plot.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/cmd_simulate_report.h"
#include "sim/run.h"

namespace kvpsi {

struct RecordOptions {
  std::string journal;        ///< of the run under the law kvpsi; empty: none
  std::string plot;           ///< .svg or .png; empty: none
  std::string scenario_file;  ///< what is read, and not to be overwritten; empty: a shipped one

  bool wanted() const { return !journal.empty() || !plot.empty(); }
};

/// The kvpsi law's run, or the runs of several laws, of one scenario and seed.
class SimulateRecord {
 public:
  ~SimulateRecord();

  /// Before the runs. Errors: those of check_output_file and JournalWriter::open; invalid_argument
  /// where two of the files are one, and for a name that is neither .svg nor .png; unsupported
  /// without gnuplot.
  static Result<std::unique_ptr<SimulateRecord>> open(const RecordOptions& options,
                                                      const Scenario& scenario, std::uint64_t seed);

  /// Who listens to the turns and instants of the next run; nullptr: nobody. Until finish().
  EventSink* sink(LawKind law);
  Watcher* watcher(LawKind law);

  /// After the runs: ends the journal, draws the plot. Errors: those of both.
  Result<void> finish(const ScenarioResults& results);

 private:
  class Journal;
  class Run;

  SimulateRecord(RecordOptions options, const Scenario& scenario, std::uint64_t seed);
  Run& run_of(LawKind law);
  Result<void> draw(const ScenarioResults& results);

  const RecordOptions options_;
  const Scenario scenario_;  ///< as the seed varies it
  const std::uint64_t seed_;
  std::string gnuplot_;
  std::unique_ptr<Journal> journal_;
  std::vector<std::unique_ptr<Run>> runs_;
};

}  // namespace kvpsi
