// SPDX-License-Identifier: MIT
// See reality.h.
#include "bench/reality.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/child.h"
#include "bench/context.h"
#include "bench/out_dir.h"
#include "bench/reality_rows.h"
#include "bench/reality_scenario.h"
#include "bench/run_trial.h"
#include "journal/reader.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kContextTokens = 8192;
constexpr std::uint64_t kPromptTokens = 1500;
/// Two seconds of answer: the first sign of it must not be taken for the squeeze's.
constexpr std::uint64_t kAnswerBeforeOnset = 100;
constexpr std::uint64_t kMeasuringNeighbourBytes = 64 * kMiB;
constexpr double kSettleFromSeconds = 28;

bool is_settled(const SqueezeTimes& times) {
  return times.full_size_s && times.followed_s >= *times.full_size_s + kSettledSeconds;
}

std::vector<Tick> read_ticks(const std::string& path) {
  auto journal = read_journal(path);
  return journal ? std::move(journal->ticks) : std::vector<Tick>();
}

/// Sleeps until that share of the heartbeat after some turn that follows `last`.
void wait_for_phase(const Tick& last, double phase) {
  const std::uint64_t beat_us = std::max<std::uint64_t>(last.decision.wake_after_us, 1);
  const std::uint64_t now_us = monotonic_us();
  std::uint64_t due_us = last.observation.sample.t_us +
                         static_cast<std::uint64_t>(phase * static_cast<double>(beat_us));
  while (due_us < now_us) due_us += beat_us;
  sleep_ms(static_cast<unsigned>((due_us - now_us) / 1000));
}

class Series {
 public:
  Series(const RealityOptions& options, const std::function<bool()>& stop,
         const RealityListener& listen)
      : options_(options), stop_(stop), listen_(listen), begin_us_(monotonic_us()) {}

  Result<RealityRecord> run() {
    if (auto prepared = prepare(); !prepared) return std::unexpected(prepared.error());
    const Result<void> done = run_all();
    record_.context.complete = done.has_value();
    if (!done) {
      if (record_.runs.empty()) return std::unexpected(done.error());
      const bool stopped = done.error().code == ErrorCode::cancelled;
      record_.context.warnings.push_back(
          "cut short: " + (stopped ? std::string("interrupted") : describe(done.error())));
    }
    if (auto saved = finish(); !saved) return std::unexpected(saved.error());
    return std::move(record_);
  }

 private:
  const BenchOptions& bench() const { return options_.bench; }
  std::string path(const std::string& file) const { return bench().out_dir + "/" + file; }

  Result<void> prepare() {
    const std::string results = path("results.json");
    if (options_.resume) {
      std::ifstream file(results, std::ios::binary);
      if (!file) return fail(ErrorCode::not_found, "there is no series to go on with", results);
      std::ostringstream text;
      text << file.rdbuf();
      auto before = parse_reality(text.str(), results);
      if (!before) return std::unexpected(before.error());
      record_ = std::move(*before);
      for (RealityRun& run : record_.runs) read_times(run);
    } else if (auto made = prepare_out_dir(bench().out_dir); !made) {
      return made;
    }
    const std::string sha_before = std::exchange(record_.context, {}).model_sha256;
    record_.repetitions = options_.repetitions;
    record_.seeds = options_.seeds;
    if (auto found = find_groups(); !found) return found;
    tell("reading the model");
    if (auto described = describe_machine(bench(), record_.context); !described) return described;
    record_.context.trials_planned = total();
    if (!sha_before.empty() && sha_before != record_.context.model_sha256) {
      return fail(ErrorCode::invalid_argument, "the series in there is of another model", results);
    }
    return write_prompt(path("prompt.txt"), bench().seed, kPromptTokens);
  }

  Result<void> find_groups() {
    host_.ops = ops_.get();
    host_.out_dir = bench().out_dir;
    host_.executable = bench().executable;
    host_.proc = bench().proc;
    host_.stop = stop_;
    auto name = group_name(bench().proc);
    if (!name) return std::unexpected(name.error());
    host_.group_name = std::move(*name);
    sweep_dead_groups(*ops_, bench().own_groups, bench().proc);
    auto home = GroupHome::find(*ops_, bench().own_groups, bench().proc);
    if (!home) return std::unexpected(home.error());
    home_.emplace(std::move(*home));
    host_.home = &*home_;
    record_.context.cgroup = home_->describe();
    return {};
  }

  /// The squeezes take turns, so that a series that is cut short has about as many of each.
  Result<void> run_all() {
    if (record_.sizes.used_bytes == 0) {
      if (auto measured = measure(); !measured) return measured;
    }
    for (std::uint32_t repetition = 1; repetition <= options_.repetitions; ++repetition) {
      for (const SqueezeKind kind : kSqueezeKinds) {
        if (is_there(kind, repetition)) continue;
        if (auto done = run_one(kind, repetition); !done) return done;
      }
    }
    return {};
  }

  bool is_there(SqueezeKind kind, std::uint32_t repetition) const {
    return std::ranges::any_of(record_.runs, [&](const RealityRun& run) {
      return run.kind == kind && run.repetition == repetition && run.counts();
    });
  }

  TrialJob make_job(const std::string& stem, bool trims) const {
    TrialJob job;
    job.run.variant = trims ? Variant::psi : Variant::release_only;
    job.run.squeeze = Squeeze::s2;
    job.engine.variant = job.run.variant;
    job.engine.squeeze = job.run.squeeze;
    job.engine.model = bench().model;
    job.engine.prompt_file = path("prompt.txt");
    job.engine.n_ctx = kContextTokens;
    job.engine.prompt_tokens = kPromptTokens;
    job.engine.n_predict = kContextTokens - kPromptTokens - 1;
    job.engine.threads = bench().threads;
    job.engine.seed = bench().seed;
    job.engine.time_max_s = 600;
    job.stem = stem;
    return job;
  }

  /// No limit, a small neighbour from the start: what the engine's group has charged at the onset
  /// is the peak without that neighbour.
  Result<void> measure() {
    tell("measuring what the engine needs");
    TrialJob job = make_job("measure", false);
    job.engine.n_predict = kAnswerBeforeOnset;
    job.neighbour.anon_bytes = kMeasuringNeighbourBytes;
    auto outcome = run_trial(host_, job);
    if (!outcome) return std::unexpected(outcome.error());
    const Trial& trial = outcome->trial;
    if (trial.exit != "ok" || !outcome->summary || trial.prefill_s <= 0 || trial.peak_bytes == 0) {
      return fail(ErrorCode::io,
                  fmt::format("the measuring run tells too little ('{}'){}", trial.exit,
                              trial.peak_bytes == 0 ? ", no peak usage" : ""));
    }
    const EngineSummary& summary = *outcome->summary;
    RealitySizes& sizes = record_.sizes;
    sizes.weights_bytes = summary.weights_file_bytes;
    sizes.bytes_per_token = summary.kv_bytes_per_cell;
    sizes.n_ctx = kContextTokens;
    sizes.prompt_tokens = kPromptTokens;
    sizes.onset_tokens = kPromptTokens + kAnswerBeforeOnset;
    sizes.used_bytes = trial.peak_bytes - std::min(trial.peak_bytes, outcome->neighbour_bytes);
    sizes.scratch_bytes = summary.scratch_resident_bytes;
    sizes.neighbour_overhead_bytes =
        outcome->neighbour_bytes - std::min(outcome->neighbour_bytes, kMeasuringNeighbourBytes);
    sizes.tokens_per_s = summary.tok_s;
    sizes.prefill_tokens_per_s = static_cast<double>(kPromptTokens) / trial.prefill_s;
    const auto ticks = read_ticks(path(trial.journal));
    const PoolView* kv =
        ticks.empty() ? nullptr : find_pool(ticks.back().observation.pools, PoolKind::kv);
    sizes.granule_bytes = kv == nullptr ? 0 : kv->granule_bytes;
    if (sizes.used_bytes > sizes.weights_bytes && sizes.granule_bytes > 0) return {};
    sizes = {};
    return fail(ErrorCode::busy,
                "the weights are not charged to the engine's group: another process uses the same "
                "model file; end it, or give a copy of the file by --model",
                bench().model);
  }

  Result<void> run_one(SqueezeKind kind, std::uint32_t repetition) {
    const RealityPlan plan = make_reality_plan(kind, record_.sizes);
    const std::string stem = fmt::format("{}-{}", name(kind), repetition);
    tell(fmt::format("{} {} of {}", name(kind), repetition, options_.repetitions));
    TrialJob job = make_job(stem, plan.trims);
    job.limit_bytes = plan.limit_bytes;
    if (plan.lowered_limit_bytes == 0) job.neighbour.anon_bytes = plan.neighbour_bytes;
    job.neighbour.step_bytes = plan.ramp_step_bytes;
    job.neighbour.step_s = plan.ramp_step_s;
    job.neighbour.force = true;
    job.timed = make_timed(plan, repetition, path("journal-" + stem + ".jsonl"));
    auto outcome = run_trial(host_, job);
    if (!outcome) return std::unexpected(outcome.error());
    return keep(kind, repetition, *outcome);
  }

  TimedSqueeze make_timed(const RealityPlan& plan, std::uint32_t repetition,
                          const std::string& journal) const {
    TimedSqueeze timed;
    timed.hold_s = plan.hold_s;
    timed.lowered_limit_bytes = plan.lowered_limit_bytes;
    timed.follow_most_s = kFollowSeconds;
    // Onsets spread evenly over a heartbeat at rest, since that decides when a step is noticed.
    const double phase = find_onset_phase(repetition, options_.repetitions);
    timed.begins = [this, journal, phase] {
      const auto ticks = read_ticks(journal);
      if (last_live_tokens(ticks) < record_.sizes.onset_tokens) return false;
      wait_for_phase(ticks.back(), phase);
      return true;
    };
    timed.ends = [journal, relieved_us = std::uint64_t{0}, hold_s = plan.hold_s]() mutable {
      if (relieved_us == 0) relieved_us = monotonic_us();
      if (monotonic_us() - relieved_us < static_cast<std::uint64_t>(kSettleFromSeconds * 1e6)) {
        return false;
      }
      const auto ticks = read_ticks(journal);
      const auto onset_us = relieved_us - static_cast<std::uint64_t>(hold_s * 1e6);
      return is_settled(find_times(ticks, onset_us, relieved_us));
    };
    return timed;
  }

  Result<void> keep(SqueezeKind kind, std::uint32_t repetition, const TrialOutcome& outcome) {
    RealityRun run;
    run.kind = kind;
    run.repetition = repetition;
    run.exit = outcome.trial.exit;
    run.journal = outcome.trial.journal;
    run.limit_bytes = outcome.trial.limit_bytes;
    run.onset_us = outcome.onset_us;
    run.relief_us = outcome.relief_us;
    run.decode_end_us = outcome.trial.decode_end_us;
    run.oom_kills = outcome.trial.oom_kills;
    if (run.exit == "ok" && (run.relief_us == 0 || run.decode_end_us < run.relief_us)) {
      run.exit = "the engine ended before the relief";
    }
    read_times(run);
    std::erase_if(record_.runs, [&](const RealityRun& old) {
      return old.kind == kind && old.repetition == repetition;
    });
    record_.runs.push_back(std::move(run));
    auto& warnings = record_.context.warnings;
    warnings.insert(warnings.end(), outcome.notes.begin(), outcome.notes.end());
    if (auto saved = save(); !saved) return saved;
    tell("", &record_.runs.back());
    return {};
  }

  void read_times(RealityRun& run) const {
    if (run.relief_us == 0) return;
    const auto ticks = read_ticks(path(run.journal));
    run.times = find_times(ticks, run.onset_us, run.relief_us);
    if (ticks.empty() && run.exit == "ok") run.exit = "no journal";
  }

  Result<void> finish() {
    std::map<SqueezeKind, std::vector<SqueezeTimes>> simulated;
    if (record_.sizes.used_bytes > 0) {
      tell("simulating the same squeezes");
      for (const SqueezeKind kind : kSqueezeKinds) {
        simulated[kind] = simulate_squeeze(make_reality_plan(kind, record_.sizes), record_.sizes,
                                           options_.seeds, kFollowSeconds);
      }
    }
    record_.rows = judge_reality(record_.runs, simulated, bench().seed);
    return save();
  }

  Result<void> save() {
    record_.context.seconds = static_cast<double>(monotonic_us() - begin_us_) / 1e6;
    record_.missing = find_missing(record_.runs, record_.repetitions);
    return write_whole(to_json(record_), path("results.json"));
  }

  std::uint32_t total() const {
    return options_.repetitions * static_cast<std::uint32_t>(kSqueezeKinds.size());
  }

  void tell(std::string doing, const RealityRun* finished = nullptr) const {
    listen_({.doing = std::move(doing),
             .runs_done = static_cast<std::uint32_t>(record_.runs.size()),
             .runs_total = total(),
             .finished = finished});
  }

  const RealityOptions& options_;
  const std::function<bool()>& stop_;
  const RealityListener& listen_;
  std::uint64_t begin_us_;
  std::unique_ptr<CgroupOps> ops_ = make_cgroup_ops();
  std::optional<GroupHome> home_;
  TrialHost host_;
  RealityRecord record_;
};

}  // namespace

Result<RealityRecord> run_reality(const RealityOptions& options, const std::function<bool()>& stop,
                                  const RealityListener& listen) {
  return Series(options, stop, listen).run();
}

}  // namespace kvpsi
