// SPDX-License-Identifier: MIT
// See cmd_simulate_record.h.
#include "cli/cmd_simulate_record.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "base/printable.h"
#include "cli/output_file.h"
#include "journal/writer.h"
#include "report/program.h"
#include "report/sim_plot.h"
#include "report/sim_trace.h"

namespace kvpsi {
namespace {

/// The last point of a run that went to its end is less than this share short of it.
constexpr double kEndedEarly = 0.98;

/// Known before hours are simulated for nothing, and before anything is overwritten.
Result<void> check_files(const RecordOptions& options) {
  if (is_same_file(options.journal, options.plot)) {
    return fail(ErrorCode::invalid_argument, "--journal and --plot name the same file",
                options.plot);
  }
  for (const std::string& written : {options.journal, options.plot}) {
    if (is_same_file(written, options.scenario_file)) {
      return fail(ErrorCode::invalid_argument,
                  "is the scenario, which would be overwritten; name another file", written);
    }
  }
  if (!options.journal.empty()) {
    const auto checked = check_output_file(options.journal, "cannot create the journal");
    if (!checked) return checked;
  }
  if (options.plot.empty()) return {};
  return check_output_file(options.plot, "cannot write the picture");
}

}  // namespace

/// A simulated governor is faster than any disk, and nobody is harmed when it waits: it does, so
/// that no tick is lost. Time of the machine that simulates is left out: one seed, one journal.
class SimulateRecord::Journal final : public EventSink {
 public:
  explicit Journal(std::unique_ptr<JournalWriter> writer) : writer_(std::move(writer)) {}

  void on_tick(const Tick& tick) override {
    Tick timeless = tick;
    timeless.cost_us = 0;
    writer_->on_tick(timeless);
    if (++queued_ < JournalWriter::kQueueTicks) return;
    writer_->flush();
    queued_ = 0;
  }

  Result<void> finish() {
    const JournalStatus status = writer_->flush();
    if (status.error) return std::unexpected(*status.error);
    return {};
  }

 private:
  std::unique_ptr<JournalWriter> writer_;
  std::size_t queued_ = 0;
};

/// One law's run.
class SimulateRecord::Run final : public EventSink {
 public:
  Run(LawKind law, double duration_s, EventSink* journal)
      : law_(law), trace_(duration_s), journal_(journal) {}

  void on_tick(const Tick& tick) override {
    trace_.on_tick(tick);
    if (journal_ != nullptr) journal_->on_tick(tick);
  }

  LawKind law() const { return law_; }
  SimTrace& trace() { return trace_; }

 private:
  const LawKind law_;
  SimTrace trace_;
  EventSink* journal_;
};

SimulateRecord::SimulateRecord(RecordOptions options, const Scenario& scenario, std::uint64_t seed)
    : options_(std::move(options)), scenario_(vary_scenario(scenario, seed)), seed_(seed) {}

SimulateRecord::~SimulateRecord() = default;

Result<std::unique_ptr<SimulateRecord>> SimulateRecord::open(const RecordOptions& options,
                                                             const Scenario& scenario,
                                                             std::uint64_t seed) {
  if (auto checked = check_files(options); !checked) return std::unexpected(checked.error());
  std::unique_ptr<SimulateRecord> record(new SimulateRecord(options, scenario, seed));
  if (!options.plot.empty()) {
    if (!is_picture_name(options.plot)) {
      return fail(ErrorCode::invalid_argument, "a plot's name ends in .svg or .png", options.plot);
    }
    const char* search_path = std::getenv("PATH");
    const auto gnuplot = find_program("gnuplot", search_path != nullptr ? search_path : "");
    if (!gnuplot) {
      return fail(ErrorCode::unsupported,
                  "cannot draw it, gnuplot is not installed; apt-get install gnuplot-nox",
                  options.plot);
    }
    record->gnuplot_ = *gnuplot;
  }
  if (!options.journal.empty()) {
    auto writer = JournalWriter::open(options.journal, make_policy_config(scenario));
    if (!writer) return std::unexpected(writer.error());
    record->journal_ = std::make_unique<Journal>(std::move(*writer));
  }
  return record;
}

SimulateRecord::Run& SimulateRecord::run_of(LawKind law) {
  for (const auto& run : runs_) {
    if (run->law() == law) return *run;
  }
  EventSink* journal = law == LawKind::kvpsi ? journal_.get() : nullptr;
  runs_.push_back(std::make_unique<Run>(law, scenario_.duration_s, journal));
  return *runs_.back();
}

EventSink* SimulateRecord::sink(LawKind law) { return &run_of(law); }

Watcher* SimulateRecord::watcher(LawKind law) { return &run_of(law).trace(); }

Result<void> SimulateRecord::finish(const ScenarioResults& results) {
  if (journal_ != nullptr) {
    if (auto ended = journal_->finish(); !ended) return ended;
  }
  if (options_.plot.empty()) return {};
  return draw(results);
}

Result<void> SimulateRecord::draw(const ScenarioResults& results) {
  SimPlotPage page;
  page.title = fmt::format("{}, seed {}", printable(scenario_.name), seed_);
  page.subtitle = printable(scenario_.title);
  page.duration_s = scenario_.duration_s;
  page.relief_s = scenario_.expect.relief_s;
  for (const RunReport& run : results.runs) {
    SimPlotColumn column;
    column.title = name(run.law);
    column.subtitle = fmt::format("own stall {:.1f} s, {} tokens lost", run.score.own_stall_s,
                                  run.score.tokens_lost);
    column.points = run_of(run.law).trace().points();
    column.is_killed = run.score.oom_kills > 0 && !column.points.empty() &&
                       column.points.back().t_s < kEndedEarly * scenario_.duration_s;
    page.columns.push_back(std::move(column));
  }
  return write_sim_plot(page, options_.plot, gnuplot_);
}

}  // namespace kvpsi
