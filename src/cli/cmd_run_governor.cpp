// SPDX-License-Identifier: MIT
// See cmd_run_governor.h.
#include "cli/cmd_run_governor.h"

#include <pthread.h>

#include <utility>

#include "base/clock.h"
#include "policy/check_config.h"

namespace kvpsi {
namespace {

/// A run that is only recorded is sampled this often, so that its plot is as fine as the others'.
constexpr std::uint64_t kRecordWakeUs = 100'000;

class MonotonicClock : public Clock {
 public:
  std::uint64_t now_us() override { return monotonic_us(); }
};

Clock& monotonic_clock() {
  static MonotonicClock clock;
  return clock;
}

GovernorOptions make_governor_options(const RunOptions& options) {
  GovernorOptions made;
  made.dry_run = !options.is_acting();
  made.policy.release_allowed = options.release;
  made.policy.trim_allowed = options.trim != TrimMode::off;
  made.policy.trim_for_room = options.trim == TrimMode::eager;
  made.policy.kv_min_bytes = options.kv_min_bytes;
  made.policy.kv_max_bytes = options.kv_max_bytes;
  if (!options.governor) {
    made.policy.calm_wake_us = kRecordWakeUs;
    made.policy.watch_wake_us = kRecordWakeUs;
  }
  return made;
}

KernelSourceOptions make_source_options(const RunOptions& options) {
  KernelSourceOptions made;
  made.paths.psi_own = options.psi_own;
  made.paths.psi_parent = options.psi_parent;
  made.paths.psi_system = options.psi_system;
  const PressureWatchEnvironment watch = read_pressure_watch_environment();
  made.watch_path = watch.watch;
  made.watch_write_base64 = watch.write;
  return made;
}

}  // namespace

Result<std::unique_ptr<RunGovernor>> RunGovernor::open(const RunOptions& options) {
  if (const auto complaint = check_policy_config(make_governor_options(options).policy)) {
    return fail(ErrorCode::invalid_argument, *complaint);
  }
  auto source = KernelSource::open(make_source_options(options));
  if (!source) return std::unexpected(source.error());
  std::unique_ptr<JournalWriter> journal;
  if (!options.journal.empty()) {
    auto opened = JournalWriter::open(options.journal, make_governor_options(options).policy);
    if (!opened) return std::unexpected(opened.error());
    journal = std::move(*opened);
  }
  return std::unique_ptr<RunGovernor>(
      new RunGovernor(options, std::move(*source), std::move(journal)));
}

RunGovernor::RunGovernor(const RunOptions& options, std::unique_ptr<KernelSource> source,
                         std::unique_ptr<JournalWriter> journal)
    : options_(make_governor_options(options)),
      soft_max_bytes_(options.kv_soft_max_bytes),
      enabled_(options.governor),
      source_(std::move(source)),
      journal_(std::move(journal)),
      counter_(journal_.get()) {}

void RunGovernor::start(std::span<MemoryPool* const> pools, std::uint64_t file_wanted_bytes) {
  source_->set_file_wanted_bytes(file_wanted_bytes);
  governor_ = std::make_unique<Governor>(options_, *source_, pools, monotonic_clock(), counter_);
  if (soft_max_bytes_ != 0) governor_->set_soft_max(soft_max_bytes_);
  thread_ = std::jthread([this](std::stop_token stop) {
    const std::uint64_t cpu_start_us = thread_cpu_us();
    governor_->run(std::move(stop));
    cpu_us_ = thread_cpu_us() - cpu_start_us;
  });
  ::pthread_setname_np(thread_.native_handle(), "kvpsi-governor");
}

void RunGovernor::stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  if (journal_ != nullptr) {
    journal_status_ = journal_->flush();
    journal_.reset();
  }
}

std::optional<Tick> RunGovernor::last_tick() const {
  if (governor_ == nullptr) return std::nullopt;
  const Tick tick = governor_->last_tick();
  return tick.decision.id == 0 ? std::nullopt : std::optional(tick);
}

GovernorRecord RunGovernor::record() const {
  return {.enabled = enabled_,
          .dry_run = options_.dry_run,
          .source = source_->describe(),
          .ticks = counter_.ticks(),
          .level_max = counter_.level_max(),
          .first_stall_us = counter_.first_stall_us(),
          .cpu_us = cpu_us_};
}

}  // namespace kvpsi
