// SPDX-License-Identifier: MIT
// See cmd_serve_session.h. llama-server has signal handlers of its own and expects them on its own
// threads: ours block every signal.
#include "cli/cmd_serve_session.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/printable.h"
#include "cli/console.h"
#include "cli/governed_status.h"
#include "linux/own_memory.h"
#include "serve/prompt_cache_limit.h"

namespace kvpsi {
namespace {

/// A saved prompt is read back at once or not for long.
constexpr std::uint64_t kCacheSpillUs = 5'000'000;
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

/// Wraps that have been called when a server with a governed context is ready.
constexpr auto kStartCalls = std::to_array<std::string_view>(
    {"ggml_aligned_malloc", "ggml_backend_buffer_clear", "ggml_backend_buffer_set_usage",
     "ggml_backend_sched_graph_compute_async", "llama_init_from_model", "llama_memory_clear",
     "llama_memory_seq_rm", "llama_process"});

/// While it lives, threads that are started block all signals.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

/// Whom the user signals go to; null: nobody.
std::atomic<Governor*> signalled{nullptr};

void take_signal(int number) {
  Governor* const governor = signalled.load();
  if (governor == nullptr) return;
  if (number == SIGUSR1) governor->ask_give_back();
  if (number == SIGUSR2) governor->toggle_pause();
}

void catch_user_signals() {
  struct sigaction action = {};
  action.sa_handler = take_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  for (const int number : {SIGUSR1, SIGUSR2}) ::sigaction(number, &action, nullptr);
}

GovernorSetup make_governor_setup(const ServeOptions& options) {
  GovernorSetup made;
  made.options.dry_run = !options.is_acting();
  PolicyConfig& policy = made.options.policy;
  policy.release_allowed = options.release;
  policy.trim_allowed = options.may_trim();
  policy.trim_for_room = options.may_trim() && options.trim == TrimMode::eager;
  policy.kv_min_bytes = options.kv_min_bytes;
  policy.kv_max_bytes = options.kv_max_bytes;
  made.enabled = options.governor;
  made.journal = options.journal;
  // Children of a router have the same options.
  const bool is_child = std::getenv("LLAMA_SERVER_ROUTER_PORT") != nullptr;
  if (is_child && !made.journal.empty()) made.journal += fmt::format(".{}", ::getpid());
  made.psi_own = options.psi_own;
  made.psi_parent = options.psi_parent;
  made.psi_system = options.psi_system;
  return made;
}

ServerSnapshot make_facts(const ServeArguments& arguments) {
  ServerSnapshot facts;
  facts.version = KVPSI_VERSION;
  facts.llama_commit = KVPSI_LLAMA_COMMIT;
  facts.pid = ::getpid();
  facts.model = arguments.model;
  return facts;
}

}  // namespace

ServeSession::ServeSession(const ServeArguments& arguments, MakeHostCache make_cache)
    : arguments_(arguments),
      options_(arguments.options),
      http_(make_facts(arguments), arguments.options.admission,
            arguments.options.admission_wait_us.value_or(0)),
      make_cache_(std::move(make_cache)) {}

ServeSession::~ServeSession() { signalled.store(nullptr); }

/// Before time goes into loading, so that a wrong path ends it at once.
Result<void> ServeSession::open() {
  start_us_ = monotonic_us();
  catch_user_signals();
  auto governor = GovernorThread::open(make_governor_setup(options_));
  if (!governor) return std::unexpected(governor.error());
  governor_ = std::move(*governor);
  if (options_.is_elastic()) {
    auto spill = open_spill(options_.spill);
    if (!spill) return std::unexpected(spill.error());
    spill_ = std::move(*spill);
  }
  set_elastic(options_.is_elastic());
  GovernOptions govern;
  govern.trim = options_.may_trim() ? options_.trim : TrimMode::off;
  govern.keep = options_.trim_keep;
  govern.tail = options_.trim_tail;
  govern.min_prune = options_.trim_min;
  govern.trim_only_allowed = true;
  govern.release = options_.release;
  govern.spill = spill_.file.get();
  govern.spill_park_us = options_.idle_spill_us.value_or(0);
  govern.kv_min_bytes = options_.kv_min_bytes;
  govern.kv_max_bytes = options_.kv_max_bytes;
  if (options_.is_elastic()) {
    cache_ = make_cache_(spill_.file.get(), options_.idle_spill_us ? kCacheSpillUs : kNever);
  }
  contexts_ = std::make_unique<GovernedContexts>(
      govern, [this](const ContextReport& report) { return on_context(report); },
      [this] {
        if (cache_) cache_->stand_back();
      });
  std::ranges::copy(contexts_->pools(), std::back_inserter(pools_));
  if (cache_) pools_.push_back(cache_.get());
  return {};
}

/// The words that bound the prompt cache, unless somebody has.
std::vector<std::string> ServeSession::bound_prompt_cache() {
  if (!cache_ || arguments_.names_cache_size) return {};
  const std::uint64_t room = spill_.file ? spill_.file->room_bytes() : 0;
  const std::uint64_t mib = choose_prompt_cache_mib(room, governor_->sample());
  return {"--cache-ram", std::to_string(mib)};
}

Result<int> ServeSession::run(const Server& server) {
  const bool is_watching = options_.governor || !options_.journal.empty();
  if (!is_watching) return server({});
  if (const auto opened = open(); !opened) return std::unexpected(opened.error());
  const int code = server(bound_prompt_cache());
  finish();
  const bool is_unmet = options_.require && !is_ready_;
  return is_unmet && code == 0 ? 1 : code;
}

bool ServeSession::on_context(const ContextReport& report) {
  if (reports_.empty()) start_beside(report);
  if (is_ready_) {  // woken up
    if (!report.self_check.ok && options_.is_elastic()) {
      say(fmt::format("self-check FAILED, this context is not elastic: {}",
                      report.self_check.what));
    }
    return true;
  }
  reports_.push_back(report);
  const bool is_governed = report.self_check.ok && report.ungoverned.empty();
  if (!options_.require || is_governed) return true;
  for (const std::string& problem : problems()) say("not governed: " + problem);
  say("--psi-require is not met: this server does not start");
  return false;
}

/// With the first context: before it there is nothing to govern, and a router never has one.
void ServeSession::start_beside(const ContextReport& report) {
  const SignalsBlocked blocked;
  weights_ = report.weights;
  // Loading leaves the weights mapped and resident, and beside them the program's text: both have
  // to stay. Where that was squeezed out already, at least the weights are known.
  const auto memory = read_own_memory();
  governor_->start(pools_, std::max(memory ? memory->file_bytes : 0, report.weights.file_bytes));
  if (options_.governor) signalled.store(governor_->governor());
  http_.set_governor(governor_.get());
  start_status_server();
  losses_ = std::jthread([this](const std::stop_token& stop) { watch_losses(stop); });
}

/// Nothing may be taken out for good but by the eager.
bool ServeSession::gives_context() const {
  return options_.may_trim() && (spill_.file != nullptr || options_.trim == TrimMode::eager);
}

void ServeSession::start_status_server() {
  auto server = StatusServer::start(::getpid(), gives_context(), [this](std::string_view l) {
    return answer_status_request(l, facts(), *governor_);
  });
  if (server) {
    status_ = std::move(*server);
  } else {
    say(fmt::format("no `kvpsi status`: {}", describe(server.error())));
  }
}

/// On a thread of its own, since a terminal may take its time.
void ServeSession::watch_losses(const std::stop_token& stop) {
  constexpr auto kLook = std::chrono::milliseconds(250);
  std::mutex mutex;
  std::condition_variable_any asleep;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    asleep.wait_for(lock, stop, kLook, [] { return false; });
    for (const std::string& loss : take_losses()) say(loss);
  }
}

std::vector<std::string> ServeSession::take_losses() {
  std::vector<std::string> losses = contexts_->take_losses();
  if (cache_) std::ranges::move(cache_->take_losses(), std::back_inserter(losses));
  return losses;
}

std::vector<std::string> ServeSession::problems() const {
  std::vector<std::string> out;
  for (const ContextReport& report : reports_) {
    if (!report.self_check.what.empty() && !report.self_check.ok) {
      out.push_back("KV cache: " + report.self_check.what);
    }
    out.insert(out.end(), report.ungoverned.begin(), report.ungoverned.end());
  }
  return out;
}

bool ServeSession::on_ready(const std::vector<std::string>& hook_problems) {
  if (contexts_ == nullptr) return true;
  std::vector<std::string> found = options_.is_elastic() ? problems() : std::vector<std::string>();
  if (options_.may_trim()) std::ranges::copy(hook_problems, std::back_inserter(found));
  const bool has_cache = std::ranges::any_of(
      reports_, [](const ContextReport& report) { return report.self_check.ok; });
  for (const WrapCount& wrap : wraps_fired()) {
    const bool is_expected = std::ranges::find(kStartCalls, wrap.function) != kStartCalls.end();
    if (!has_cache || !is_expected || wrap.calls > 0) continue;
    found.push_back(fmt::format("{} was never seen to be called", wrap.function));
  }
  print_banner(found);
  http_.set_not_governed(found);
  is_ready_ = !options_.require || found.empty();
  if (!is_ready_) say("--psi-require is not met: this server does not start");
  return is_ready_;
}

void ServeSession::print_banner(const std::vector<std::string>& problems) {
  if (options_.governor && !options_.quiet) {
    say(fmt::format("pressure: {}", governor_->describe_source()));
    if (options_.dry_run) {
      say("dry run: nothing is given back, llama-server's memory is stock");
    }
    if (options_.is_elastic()) say("spill: " + spill_.what);
    for (const ContextReport& report : reports_) {
      if (!report.self_check.ok) continue;
      say(fmt::format("self-check: {} of the KV cache came back",
                      format_bytes(report.self_check.bytes_returned)));
    }
  }
  for (const std::string& problem : problems) say("not governed: " + problem);
}

void ServeSession::finish() {
  signalled.store(nullptr);
  http_.set_governor(nullptr);
  if (losses_.joinable()) {
    losses_.request_stop();
    losses_.join();
  }
  status_.reset();
  governor_->stop();
  for (const std::string& loss : take_losses()) say(loss);
  const auto journal = governor_->journal_status();
  if (journal && journal->error) say("the journal is cut: " + describe(*journal->error));
  const GovernorRecord record = governor_->record();
  if (options_.quiet || record.ticks == 0) return;
  const TickTotals totals = governor_->totals();
  const auto& released = totals.bytes_released;
  say(fmt::format(
      "{} given back, {} written to disk, level at most {}, {} turns in {:.2f} s of CPU",
      format_bytes(std::accumulate(released.begin(), released.end(), std::uint64_t{0})),
      format_bytes(totals.bytes_spilled), name(record.level_max), record.ticks,
      static_cast<double>(record.cpu_us) / 1e6));
}

StatusFacts ServeSession::facts() const {
  return {.pid = ::getpid(),
          .command = "serve",
          .model = arguments_.model,
          .is_budget_enforced = options_.admission && options_.is_acting(),
          .weights_file_bytes = weights_.file_bytes,
          .weights_anon_bytes = weights_.anon_bytes,
          .uptime_s = (monotonic_us() - start_us_) / 1'000'000};
}

void ServeSession::say(std::string_view line) const {
  write_all(STDERR_FILENO, fmt::format("kvpsi: {}\n", printable(std::string(line))));
}

}  // namespace kvpsi
