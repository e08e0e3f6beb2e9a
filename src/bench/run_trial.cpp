// SPDX-License-Identifier: MIT
// The steps of one trial; see run_trial.h. What comes out of them is turned into a record in
// trial_record.cpp.
#include "bench/run_trial.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <optional>

#include "base/clock.h"
#include "bench/group.h"
#include "bench/neighbour.h"
#include "bench/page_cache.h"
#include "bench/run_phase.h"
#include "bench/trial_record.h"
#include "linux/kernel_file.h"
#include "linux/psi_parse.h"

namespace kvpsi {
namespace {

constexpr unsigned kSampleMs = 50;
constexpr unsigned kCachePatienceMs = 60'000;
constexpr unsigned kEndPatienceMs = 20'000;
constexpr std::uint64_t kOnsetPollUs = 250'000;
constexpr std::uint64_t kEndPollUs = 2'000'000;

std::optional<PsiTotals> read_system_stall(const std::string& proc) {
  const auto text = read_small_file(proc + "/pressure/memory");
  if (!text) return std::nullopt;
  const auto totals = parse_psi(*text);
  if (!totals) return std::nullopt;
  return *totals;
}

/// Waits until a second passes with less than 1 % of stall, at most 30 s. Empty or a note.
Result<std::string> wait_for_calm(const TrialHost& host) {
  constexpr int kMostSeconds = 30;
  constexpr std::uint64_t kCalmUs = 10'000;
  auto before = read_system_stall(host.proc);
  if (!before) return std::string();
  for (int second = 0; second < kMostSeconds; ++second) {
    for (int i = 0; i < 10; ++i) {
      if (host.stop()) return fail(ErrorCode::cancelled, "stopped");
      sleep_ms(100);
    }
    const auto now = read_system_stall(host.proc);
    if (!now || now->some_us_total - before->some_us_total < kCalmUs) return std::string();
    before = now;
  }
  return std::string("other processes stall for memory all the time: began without calm");
}

/// One trial's processes and what is recorded of them.
class TrialRun {
 public:
  TrialRun(const TrialHost& host, const TrialJob& job) : host_(host), job_(job) {}

  Result<TrialOutcome> run() {
    if (auto prepared = prepare(); !prepared) return std::unexpected(prepared.error());
    if (!starts_late()) {
      if (auto started = start_neighbour(); !started) return std::unexpected(started.error());
    }
    if (auto limited = squeeze(); !limited) return std::unexpected(limited.error());
    if (auto started = start_engine(); !started) return std::unexpected(started.error());
    if (auto watched = watch(); !watched) return std::unexpected(watched.error());
    return collect();
  }

 private:
  std::string path(const char* kind, const char* ending) const {
    return host_.out_dir + "/" + kind + "-" + job_.stem + ending;
  }

  bool starts_late() const { return job_.timed || job_.neighbour.warmup_s > 0; }

  Result<void> prepare() {
    const auto note = wait_for_calm(host_);
    if (!note) return std::unexpected(note.error());
    if (!note->empty()) facts_.notes.push_back(*note);
    if (auto dropped = drop_from_cache(job_.engine.model, kCachePatienceMs); !dropped) {
      return dropped;
    }
    if (host_.home == nullptr) return {};
    auto group = BenchGroup::create(*host_.ops, *host_.home, host_.group_name);
    if (!group) return std::unexpected(group.error());
    group_.emplace(std::move(*group));
    return {};
  }

  std::vector<std::string> join(GroupPart part) const {
    return group_ ? group_->join_files(part) : std::vector<std::string>();
  }

  Result<void> start_neighbour() {
    if (job_.neighbour.bytes() == 0) return {};
    auto neighbour = Neighbour::start(host_, job_.neighbour, join(GroupPart::neighbour),
                                      most_seconds() + 60, job_.stem);
    if (!neighbour) return std::unexpected(neighbour.error());
    neighbour_.emplace(std::move(*neighbour));
    // One that starts late grows while the engine works: that is the point.
    if (starts_late()) return {};
    if (auto ready = neighbour_->wait_ready(host_); !ready) return ready;
    if (group_) facts_.neighbour_bytes = group_->usage_bytes();
    return {};
  }

  Result<void> squeeze() {
    if (!group_ || job_.limit_bytes == 0) return {};
    return group_->set_limit(job_.limit_bytes);
  }

  Result<void> start_engine() {
    // One of an earlier trial of that name would tell of phases before they come.
    ::unlink(path("phases", ".jsonl").c_str());
    ChildOptions options;
    options.executable = host_.executable;
    options.arguments =
        run_words(job_.engine, {path("journal", ".jsonl"), path("phases", ".jsonl")});
    options.join_files = join(GroupPart::engine);
    options.stdout_path = path("run", ".json");
    options.stderr_path = path("run", ".log");
    auto engine = Child::start(options);
    if (!engine) return std::unexpected(engine.error());
    engine_.emplace(std::move(*engine));
    return {};
  }

  double most_seconds() const {
    return job_.prefill_most_s + job_.engine.time_max_s + most_seconds_after(job_.engine);
  }

  /// The neighbour leaves when decoding has ended, for trials that go on then.
  Result<void> relieve_at_rest() {
    if (!neighbour_ || most_seconds_after(job_.engine) <= 0) return {};
    const auto phases = read_small_file(path("phases", ".jsonl"));
    if (!phases || !has_begun(*phases, RunPhase::rest)) return {};
    facts_.relief_us = monotonic_us();
    return end_neighbour();
  }

  void sample() {
    auto totals = group_ ? group_->stall() : std::nullopt;
    if (!totals) totals = read_system_stall(host_.proc);
    if (totals) facts_.external.add(monotonic_us(), *totals);
  }

  /// Onset, relief and end of a timed squeeze, each when it is due. True: the engine may end.
  Result<bool> drive(const TimedSqueeze& timed, std::uint64_t now_us) {
    const auto since_s = [now_us](std::uint64_t t_us) {
      return static_cast<double>(now_us - t_us) / 1e6;
    };
    if (facts_.relief_us > 0) {
      if (since_s(facts_.relief_us) >= timed.follow_most_s) return true;
      return is_due(now_us, kEndPollUs) && timed.ends && timed.ends();
    }
    if (facts_.onset_us > 0) {
      if (since_s(facts_.onset_us) < timed.hold_s) return false;
      if (auto relieved = relieve(timed); !relieved) return std::unexpected(relieved.error());
      return false;
    }
    if (!is_due(now_us, kOnsetPollUs) || !timed.begins()) return false;
    facts_.onset_us = monotonic_us();
    const auto begun = timed.lowered_limit_bytes > 0 && group_
                           ? group_->set_limit(timed.lowered_limit_bytes)
                           : start_neighbour();
    if (!begun) return std::unexpected(begun.error());
    return false;
  }

  Result<void> relieve(const TimedSqueeze& timed) {
    facts_.relief_us = monotonic_us();
    if (timed.lowered_limit_bytes > 0 && group_) return group_->set_limit(job_.limit_bytes);
    if (!neighbour_) return {};
    return end_neighbour();
  }

  bool is_due(std::uint64_t now_us, std::uint64_t every_us) {
    if (now_us < polled_us_ + every_us) return false;
    polled_us_ = now_us;
    return true;
  }

  Result<void> watch() {
    const std::uint64_t begin_us = monotonic_us();
    const auto seconds = [&] { return static_cast<double>(monotonic_us() - begin_us) / 1e6; };
    while (!(facts_.engine_exit = engine_->poll())) {
      if (host_.stop()) return fail(ErrorCode::cancelled, "stopped");
      sample();
      bool may_end = false;
      if (job_.timed) {
        const auto driven = drive(*job_.timed, monotonic_us());
        if (!driven) return std::unexpected(driven.error());
        may_end = *driven;
      } else if (!neighbour_ && job_.neighbour.warmup_s > 0 &&
                 seconds() >= job_.neighbour.warmup_s) {
        if (auto started = start_neighbour(); !started) return started;
      } else if (auto relieved = relieve_at_rest(); !relieved) {
        return relieved;
      }
      facts_.timed_out = seconds() > most_seconds();
      if (may_end || facts_.timed_out) {
        facts_.engine_exit = engine_->stop(SIGTERM, kEndPatienceMs);
        break;
      }
      sleep_ms(kSampleMs);
    }
    sample();
    return {};
  }

  Result<void> end_neighbour() {
    if (const auto ended = neighbour_->poll(); ended && !ended->is_ok()) {
      facts_.notes.push_back(fmt::format("the neighbour ended early: {} {}", ended->describe(),
                                         first_line_of(path("neighbour", ".log"))));
    }
    auto rounds = neighbour_->stop();
    if (!rounds) return std::unexpected(rounds.error());
    facts_.rounds = std::move(*rounds);
    neighbour_.reset();
    return {};
  }

  Result<TrialOutcome> collect() {
    if (group_) {
      facts_.peak_bytes = group_->peak_bytes();
      facts_.oom_kills = group_->oom_kills();
    }
    if (neighbour_) {
      if (auto ended = end_neighbour(); !ended) return std::unexpected(ended.error());
    }
    if (group_) {
      if (auto destroyed = group_->destroy(); !destroyed) {
        return std::unexpected(destroyed.error());
      }
    }
    facts_.summary_path = path("run", ".json");
    facts_.engine_words = first_line_of(path("run", ".log"));
    return make_outcome(job_, std::move(facts_));
  }

  const TrialHost& host_;
  const TrialJob& job_;
  TrialFacts facts_;
  std::uint64_t polled_us_ = 0;
  // The processes go before the group that they are in: members are destroyed backwards.
  std::optional<BenchGroup> group_;
  std::optional<Neighbour> neighbour_;
  std::optional<Child> engine_;
};

}  // namespace

Result<TrialOutcome> run_trial(const TrialHost& host, const TrialJob& job) {
  return TrialRun(host, job).run();
}

Result<NeighbourRate> run_neighbour_alone(const TrialHost& host, const PressSpec& spec,
                                          double seconds, const std::string& stem) {
  std::optional<BenchGroup> group;
  if (host.home != nullptr) {
    auto made = BenchGroup::create(*host.ops, *host.home, host.group_name);
    if (!made) return std::unexpected(made.error());
    group.emplace(std::move(*made));
  }
  const auto join = group ? group->join_files(GroupPart::neighbour) : std::vector<std::string>();
  auto neighbour = Neighbour::start(host, spec, join, seconds + 60, stem);
  if (!neighbour) return std::unexpected(neighbour.error());
  if (auto ready = neighbour->wait_ready(host); !ready) return std::unexpected(ready.error());
  const std::uint64_t begin_us = monotonic_us();
  const auto end_us = begin_us + static_cast<std::uint64_t>(seconds * 1e6);
  while (monotonic_us() < end_us) {
    if (host.stop()) return fail(ErrorCode::cancelled, "stopped");
    sleep_ms(kSampleMs);
  }
  const auto rounds = neighbour->stop();
  if (!rounds) return std::unexpected(rounds.error());
  const auto rate = rate_within(*rounds, begin_us, end_us);
  if (!rate) return fail(ErrorCode::busy, "the neighbour finished no round by itself");
  return *rate;
}

}  // namespace kvpsi
