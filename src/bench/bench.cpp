// SPDX-License-Identifier: MIT
// The sequence of a whole benchmark; see bench.h.
#include "bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "base/clock.h"
#include "bench/calibrate.h"
#include "bench/child.h"
#include "bench/context.h"
#include "bench/judge_squeeze.h"
#include "bench/out_dir.h"
#include "bench/schedule.h"
#include "bench/verdict.h"

namespace kvpsi {
namespace {

constexpr double kAloneSeconds = 5;
constexpr std::uint64_t kWideContext = 8192;
constexpr double kPatience = 4;

bool needs_group(const SqueezeOptions& squeeze) {
  return squeeze.squeeze() != Squeeze::reference || squeeze.scope == Scope::cgroup;
}

/// Cells that a whole trial fills.
std::uint64_t needed_tokens(const SqueezeOptions& squeeze) {
  return squeeze.tenants * squeeze.prompt_tokens + squeeze.n_predict +
         (squeeze.tenants - 1) * squeeze.then_tokens;
}

std::uint64_t default_context(const SqueezeOptions& squeeze) {
  if (squeeze.n_ctx > 0) return squeeze.n_ctx;
  // S1 wants a cache that is mostly free. The others want one that fixed can hold at all: below
  // what is live a wide fixed cache does not crawl, it is killed.
  return squeeze.squeeze() == Squeeze::s1 ? kWideContext : least_context(needed_tokens(squeeze), 0);
}

class Bench {
 public:
  Bench(const BenchOptions& options, const std::function<bool()>& stop, const BenchListener& listen)
      : options_(options), stop_(stop), listen_(listen), begin_us_(monotonic_us()) {}

  Result<BenchResults> run() {
    if (auto prepared = prepare(); !prepared) return std::unexpected(prepared.error());
    for (const SqueezeOptions& squeeze : options_.squeezes) {
      if (auto done = run_squeeze(squeeze); !done) {
        if (results_.trials.empty()) return std::unexpected(done.error());
        const bool stopped = done.error().code == ErrorCode::cancelled;
        results_.context.warnings.push_back(
            "cut short: " + (stopped ? std::string("interrupted") : describe(done.error())));
        static_cast<void>(save());
        return std::move(results_);
      }
    }
    results_.context.complete = true;
    if (auto saved = save(); !saved) return std::unexpected(saved.error());
    return std::move(results_);
  }

 private:
  Result<void> prepare() {
    if (auto made = prepare_out_dir(options_.out_dir); !made) return made;
    if (auto planned = plan(); !planned) return planned;
    if (auto found = find_groups(); !found) return found;
    tell("reading the model");
    if (auto described = describe_machine(options_, results_.context); !described) {
      return described;
    }
    results_.context.trials_planned = static_cast<std::uint32_t>(runs_.size());
    return {};
  }

  Result<void> plan() {
    std::vector<SqueezePlan> plans;
    for (const auto& squeeze : options_.squeezes) plans.push_back(squeeze.plan);
    auto runs = make_plan(plans, options_.seed);
    if (!runs) return std::unexpected(runs.error());
    runs_ = std::move(*runs);
    return {};
  }

  Result<void> find_groups() {
    host_.ops = ops_.get();
    host_.out_dir = options_.out_dir;
    host_.executable = options_.executable;
    host_.proc = options_.proc;
    host_.stop = stop_;
    auto name = group_name(options_.proc);
    if (!name) return std::unexpected(name.error());
    host_.group_name = std::move(*name);
    const auto swept = sweep_dead_groups(*ops_, options_.own_groups, options_.proc);
    if (!swept.empty()) tell(fmt::format("removed {} groups of a killed benchmark", swept.size()));
    results_.context.cgroup = "not used";
    if (std::ranges::none_of(options_.squeezes, needs_group)) return {};
    auto home = GroupHome::find(*ops_, options_.own_groups, options_.proc);
    if (!home) return std::unexpected(home.error());
    home_.emplace(std::move(*home));
    results_.context.cgroup = home_->describe();
    return {};
  }

  Result<void> run_squeeze(const SqueezeOptions& squeeze) {
    host_.home = needs_group(squeeze) ? &*home_ : nullptr;
    SqueezeContext& context = results_.context.squeezes.emplace_back();
    context.squeeze = squeeze.squeeze();
    context.scope = host_.home != nullptr ? "cgroup" : "system";
    context.n_ctx = default_context(squeeze);
    context.prompt_tokens = squeeze.prompt_tokens;
    context.n_predict = squeeze.n_predict;
    context.tenants = squeeze.tenants;
    context.then_tokens = squeeze.then_tokens;
    if (auto measured = measure(squeeze, context); !measured) return measured;
    for (const PlannedRun& run : runs_) {
      if (run.squeeze != context.squeeze) continue;
      if (auto done = run_one(squeeze, context, run); !done) return done;
    }
    return {};
  }

  RunSpec engine_spec(const SqueezeOptions& squeeze, const SqueezeContext& context) const {
    RunSpec spec;
    spec.squeeze = context.squeeze;
    spec.model = options_.model;
    spec.prompt_file = path("prompt.txt");
    spec.prompts_file = path("prompts.jsonl");
    spec.spill_dir = options_.spill_dir;
    spec.n_ctx = context.n_ctx;
    spec.prompt_tokens = context.prompt_tokens;
    spec.n_predict = context.n_predict;
    spec.tenants = context.tenants;
    spec.then_tokens = context.then_tokens;
    spec.linger_s = squeeze.linger_s;
    spec.threads = options_.threads;
    spec.seed = options_.seed;
    spec.keep = options_.keep;
    spec.tail = options_.tail;
    spec.min_prune = options_.min_prune;
    spec.time_max_s = squeeze.time_max_s;
    return spec;
  }

  std::string path(const char* file) const { return options_.out_dir + "/" + file; }

  Result<void> measure(const SqueezeOptions& squeeze, SqueezeContext& context) {
    const RunSpec engine = engine_spec(squeeze, context);
    if (auto wrote = write_prompts(engine); !wrote) return wrote;
    prefill_most_s_ = kPrefillMostSeconds;
    if (host_.home == nullptr) {
      context.limit_rule = "none: the neighbour fills the machine";
      context.neighbour_bytes = squeeze.neighbour.bytes();
      return {};
    }
    tell(fmt::format("{}: measuring what it needs", name(context.squeeze)));
    const auto unsqueezed_s =
        calibrate(host_, engine, squeeze.neighbour, squeeze.limit_bytes, context);
    if (!unsqueezed_s) return std::unexpected(unsqueezed_s.error());
    // A machine that takes long without a squeeze must not have its fixed runs cut as hopeless.
    prefill_most_s_ = std::max(kPrefillMostSeconds, kPatience * *unsqueezed_s);
    if (squeeze.neighbour.step_bytes > 0) return {};  // a growing one has no rate of its own
    tell(fmt::format("{}: the neighbour alone", name(context.squeeze)));
    auto alone = run_neighbour_alone(host_, squeeze.neighbour, kAloneSeconds,
                                     fmt::format("alone-{}", name(context.squeeze)));
    if (!alone) return std::unexpected(alone.error());
    context.neighbour_alone = *alone;
    return {};
  }

  Result<void> run_one(const SqueezeOptions& squeeze, SqueezeContext& context,
                       const PlannedRun& run) {
    TrialJob job;
    job.run = run;
    job.engine = engine_spec(squeeze, context);
    job.engine.variant = run.variant;
    job.neighbour = squeeze.neighbour;
    job.prefill_most_s = prefill_most_s_;
    job.limit_bytes = run.variant == Variant::unsqueezed ? 0 : context.limit_bytes;
    job.stem = fmt::format("{}-{}", run.trial, name(run.variant));
    if (run.variant == Variant::small) {
      const auto psi = psi_ends_.find(run.trial);
      if (psi == psi_ends_.end()) {
        results_.context.warnings.push_back(fmt::format(
            "{} small trial {}: left out, psi gave no size", name(run.squeeze), run.trial));
        ++runs_done_;
        return {};
      }
      size_small(job.engine, psi->second);
    }
    tell(fmt::format("{} trial {} ({}): {}", name(run.squeeze), run.trial, name(run.order),
                     name(run.variant)));
    if (auto rested = rest(); !rested) return rested;
    const std::uint64_t begin_us = monotonic_us();
    auto outcome = run_trial(host_, job);
    if (!outcome) return std::unexpected(outcome.error());
    durations_.add(run.squeeze, run.variant, static_cast<double>(monotonic_us() - begin_us) / 1e6);
    return keep(context, std::move(*outcome));
  }

  Result<void> rest() {
    for (double left = options_.cooldown_s; left > 0; left -= 0.1) {
      if (stop_()) return fail(ErrorCode::cancelled, "stopped");
      sleep_ms(100);
    }
    return {};
  }

  Result<void> keep(SqueezeContext& context, TrialOutcome outcome) {
    const Trial& trial = outcome.trial;
    if (trial.variant == Variant::psi && trial.exit == "ok") {
      psi_ends_[trial.trial] = {trial.kv_final_tokens, trial.decoded};
    }
    texts_.push_back(outcome.summary ? take_texts(*outcome.summary) : TrialTexts{});
    results_.trials.push_back(trial);
    auto& warnings = results_.context.warnings;
    warnings.insert(warnings.end(), outcome.notes.begin(), outcome.notes.end());
    compare_texts(results_, texts_, context.squeeze);
    context.pressure_arose = pressure_arose(results_, context);
    ++runs_done_;
    if (auto saved = save(); !saved) return saved;
    tell("", &results_.trials.back());
    return {};
  }

  Result<void> save() {
    results_.context.seconds = static_cast<double>(monotonic_us() - begin_us_) / 1e6;
    results_.verdicts = judge(results_, options_.seed);
    return write_results(results_, options_.out_dir + "/results.json");
  }

  void tell(std::string doing, const Trial* finished = nullptr) {
    BenchProgress progress;
    progress.doing = std::move(doing);
    progress.runs_done = runs_done_;
    progress.runs_total = static_cast<std::uint32_t>(runs_.size());
    const auto begun = std::min<std::size_t>(progress.runs_done, runs_.size());
    progress.eta_s = durations_.estimate(std::span(runs_).subspan(begun));
    progress.finished = finished;
    listen_(progress);
  }

  const BenchOptions& options_;
  const std::function<bool()>& stop_;
  const BenchListener& listen_;
  std::uint64_t begin_us_;
  std::unique_ptr<CgroupOps> ops_ = make_cgroup_ops();
  std::optional<GroupHome> home_;
  TrialHost host_;
  std::vector<PlannedRun> runs_;
  std::uint32_t runs_done_ = 0;  ///< those left out included
  double prefill_most_s_ = kPrefillMostSeconds;
  Durations durations_;
  std::map<std::uint32_t, PsiEnd> psi_ends_;
  std::vector<TrialTexts> texts_;  ///< of results_.trials, for comparing
  BenchResults results_;
};

Result<void> check_options(const BenchOptions& options) {
  if (options.squeezes.empty()) return fail(ErrorCode::invalid_argument, "no squeeze is asked for");
  for (const auto& squeeze : options.squeezes) {
    if (squeeze.squeeze() != Squeeze::reference && squeeze.scope == Scope::system) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{} needs a group with a limit: --scope system goes with --squeeze "
                              "reference only",
                              name(squeeze.squeeze())));
    }
    if (squeeze.n_predict == 0 || squeeze.prompt_tokens == 0) {
      return fail(ErrorCode::invalid_argument, "-n and --prompt-tokens must be above 0");
    }
    const std::uint64_t n_ctx = default_context(squeeze);
    if (needed_tokens(squeeze) > n_ctx) {
      const auto times = squeeze.tenants > 1 ? fmt::format("{} x ", squeeze.tenants) : "";
      return fail(
          ErrorCode::invalid_argument,
          fmt::format("{}{} prompt tokens and {} to decode do not fit into -c {}", times,
                      squeeze.prompt_tokens,
                      needed_tokens(squeeze) - squeeze.tenants * squeeze.prompt_tokens, n_ctx));
    }
    if (options.keep + options.tail >= n_ctx) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("--keep {} and --tail {} leave nothing to trim in a context of {}",
                              options.keep, options.tail, n_ctx));
    }
  }
  return {};
}

}  // namespace

PressSpec split_neighbour(std::uint64_t bytes) {
  PressSpec spec;
  spec.file_bytes = bytes / 4;
  spec.anon_bytes = bytes - spec.file_bytes;
  return spec;
}

Result<BenchResults> run_bench(const BenchOptions& options, const std::function<bool()>& stop,
                               const BenchListener& listen) {
  if (auto checked = check_options(options); !checked) return std::unexpected(checked.error());
  return Bench(options, stop, listen).run();
}

}  // namespace kvpsi
