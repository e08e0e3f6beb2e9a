// SPDX-License-Identifier: MIT
// See governor_thread.h.
#include "cli/governor_thread.h"

#include <pthread.h>

#include <utility>

#include "base/clock.h"
#include "policy/check_config.h"

namespace kvpsi {
namespace {

class MonotonicClock : public Clock {
 public:
  std::uint64_t now_us() override { return monotonic_us(); }
};

Clock& monotonic_clock() {
  static MonotonicClock clock;
  return clock;
}

KernelSourceOptions make_source_options(const GovernorSetup& setup) {
  KernelSourceOptions made;
  made.paths.psi_own = setup.psi_own;
  made.paths.psi_parent = setup.psi_parent;
  made.paths.psi_system = setup.psi_system;
  const PressureWatchEnvironment watch = read_pressure_watch_environment();
  made.watch_path = watch.watch;
  made.watch_write_base64 = watch.write;
  return made;
}

}  // namespace

Result<std::unique_ptr<GovernorThread>> GovernorThread::open(const GovernorSetup& setup) {
  if (const auto complaint = check_policy_config(setup.options.policy)) {
    return fail(ErrorCode::invalid_argument, *complaint);
  }
  auto source = KernelSource::open(make_source_options(setup));
  if (!source) return std::unexpected(source.error());
  std::unique_ptr<JournalWriter> journal;
  if (!setup.journal.empty()) {
    auto opened = JournalWriter::open(setup.journal, setup.options.policy);
    if (!opened) return std::unexpected(opened.error());
    journal = std::move(*opened);
  }
  return std::unique_ptr<GovernorThread>(
      new GovernorThread(setup, std::move(*source), std::move(journal)));
}

GovernorThread::GovernorThread(const GovernorSetup& setup, std::unique_ptr<KernelSource> source,
                               std::unique_ptr<JournalWriter> journal)
    : options_(setup.options),
      soft_max_bytes_(setup.soft_max_bytes),
      enabled_(setup.enabled),
      source_(std::move(source)),
      journal_(std::move(journal)),
      totals_(journal_.get()),
      counter_(&totals_) {}

void GovernorThread::start(std::span<MemoryPool* const> pools, std::uint64_t file_wanted_bytes) {
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

void GovernorThread::stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  if (journal_ != nullptr) {
    journal_status_ = journal_->flush();
    journal_.reset();
  }
}

std::optional<Tick> GovernorThread::last_tick() const {
  if (governor_ == nullptr) return std::nullopt;
  const Tick tick = governor_->last_tick();
  return tick.decision.id == 0 ? std::nullopt : std::optional(tick);
}

GovernorRecord GovernorThread::record() const {
  return {.enabled = enabled_,
          .dry_run = options_.dry_run,
          .source = source_->describe(),
          .ticks = counter_.ticks(),
          .level_max = counter_.level_max(),
          .first_stall_us = counter_.first_stall_us(),
          .cpu_us = cpu_us_};
}

}  // namespace kvpsi
