// SPDX-License-Identifier: MIT
// See cmd_run_session.h.
#include "cli/cmd_run_session.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/cmd_run_governor.h"
#include "cli/governed_status.h"
#include "linux/own_memory.h"

namespace kvpsi {
namespace {

/// Tokens a second over the tokens since the last look, at least half a second apart.
class SpeedMeter {
 public:
  double update(std::uint64_t now_us, std::uint32_t decoded) {
    if (last_us_ == 0 || decoded < last_decoded_) restart(now_us, decoded);
    if (now_us - last_us_ >= 500'000) {
      tok_s_ = (decoded - last_decoded_) * 1e6 / static_cast<double>(now_us - last_us_);
      restart(now_us, decoded);
    }
    return tok_s_;
  }

 private:
  void restart(std::uint64_t now_us, std::uint32_t decoded) {
    last_us_ = now_us;
    last_decoded_ = decoded;
  }
  std::uint64_t last_us_ = 0;
  std::uint32_t last_decoded_ = 0;
  double tok_s_ = 0;
};

}  // namespace

Result<void> RunSession::open_spill_file() {
  if (!options_.may_spill()) return {};
  auto opened = open_spill(options_.spill);
  if (!opened) return std::unexpected(opened.error());
  spill_ = std::move(*opened);
  return {};
}

Result<void> RunSession::load() {
  phases_.enter(RunPhase::load);
  record_.start_us = monotonic_us();
  const std::uint64_t cpu_start_us = process_cpu_us();
  EngineOptions engine = options_.engine;
  engine.on_load_progress = [this](float share) {
    screen_.show_loading(share);
    return !signals_.stop_flag().load();
  };
  set_elastic(options_.is_elastic());
  auto loaded = Engine::load(engine);
  if (!loaded) return std::unexpected(loaded.error());
  engine_ = std::move(*loaded);
  record_.loaded_us = monotonic_us();
  record_.load_cpu_us = process_cpu_us() - cpu_start_us;
  record_.model = options_.engine.model;
  record_.model_bytes = engine_->model_bytes();
  record_.n_ctx = engine_->n_ctx();
  record_.n_batch = engine_->n_batch();
  record_.parallel = engine_->n_seq_max();
  record_.threads = options_.engine.threads;
  record_.seed = options_.generate.seed;
  if (const auto hwm = hwm_bytes()) record_.hwm_after_load_bytes = *hwm;
  const auto window = check_trim_window(options_, engine_->n_ctx());
  if (!window) return window;
  return make_conversations();
}

Result<void> RunSession::make_conversations() {
  for (const PromptEntry& entry : options_.prompts) {
    PromptOptions options = options_.prompt;
    options.text = entry.text;
    options.tokens = entry.tokens;
    auto prompt = build_prompt(engine_->model(), options);
    if (!prompt) return fail(prompt.error().code, prompt.error().what, entry.where);
    const auto fits = engine_->check_prompt_length(prompt->size());
    if (!fits) return fail(fits.error().code, fits.error().what, entry.where);
    conversations_.push_back(
        {.prompt = std::move(*prompt), .predict = entry.predict, .then = entry.then});
  }
  return {};
}

Result<void> RunSession::attach() {
  GovernOptions options;
  options.trim = options_.trim;
  options.keep = options_.keep;
  options.tail = options_.tail;
  options.min_prune = options_.min_prune;
  options.trim_at_rest = true;  // nothing here reads the context's memory between decodes
  options.release = options_.release;
  options.spill = spill_.file.get();
  if (options_.is_acting()) {
    options.kv_min_bytes = options_.kv_min_bytes;
    options.kv_max_bytes = options_.kv_max_bytes;
  }
  auto governed = GovernedContext::attach(engine_->model(), engine_->context(), options);
  if (!governed) return std::unexpected(governed.error());
  governed_ = std::move(*governed);
  const auto ungoverned = governed_->ungoverned();
  record_.ungoverned.assign(ungoverned.begin(), ungoverned.end());
  record_.weights = governed_->weights();
  record_.self_check = governed_->self_check();
  return {};
}

void RunSession::start_governor() {
  if (governor_ == nullptr) return;
  // Loading leaves the weights mapped and resident, and beside them our program text (9 MiB): both
  // have to stay. Where that was squeezed out already, at least the weights are known.
  const auto memory = read_own_memory();
  const std::uint64_t resident = memory ? memory->file_bytes : 0;
  governor_->start(governed_->pools(), std::max(resident, record_.weights.file_bytes));
  if (options_.governor) signals_.set_governor(governor_->governor());
}

StatusFacts RunSession::facts() const {
  return {.pid = ::getpid(),
          .command = "run",
          .model = record_.model,
          .weights_file_bytes = record_.weights.file_bytes,
          .weights_anon_bytes = record_.weights.anon_bytes,
          .uptime_s = (monotonic_us() - record_.start_us) / 1'000'000};
}

void RunSession::start_status_server() {
  if (governor_ == nullptr) return;
  auto server =
      StatusServer::start(::getpid(), options_.shares_need(), [this](std::string_view request) {
        return answer_status_request(request, facts(), *governor_);
      });
  if (server) {
    status_ = std::move(*server);
  } else {
    screen_.say(fmt::format("no `kvpsi status`: {}", describe(server.error())));
  }
}

void RunSession::print_banner() {
  if (!options_.governor) return;
  screen_.say(fmt::format("pressure: {}", governor_->describe_source()));
  if (options_.dry_run) screen_.say("dry run: nothing is given back, llama.cpp's memory is stock");
  if (options_.is_elastic()) {
    screen_.say(record_.self_check.ok
                    ? fmt::format("self-check: {} came back",
                                  format_bytes(record_.self_check.bytes_returned))
                    : fmt::format("self-check FAILED, this run is not elastic: {}",
                                  record_.self_check.what));
  }
  for (const std::string& clause : record_.ungoverned) screen_.say("not governed: " + clause);
  if (options_.may_spill()) screen_.say("spill: " + spill_.what);
  if (options_.is_acting() && options_.trim == TrimMode::eager && governed_->can_trim()) {
    screen_.say(fmt::format(
        "trimming is eager: context between the first {} and the last {} tokens "
        "leaves when memory or room is short{}",
        options_.keep, options_.tail, spill_.file ? " and returns from disk" : ", for good"));
  }
  if (options_.kv_max_bytes != 0) {
    screen_.say(fmt::format("KV cap {}", format_bytes(options_.kv_max_bytes)));
  }
  if (options_.kv_soft_max_bytes != 0) {
    screen_.say(fmt::format(
        "KV soft maximum {}: shown, not enforced by kvpsi run, which has no new work to refuse",
        format_bytes(options_.kv_soft_max_bytes)));
  }
}

/// Several conversations are shown as they end, whole, as two that speak at once cannot be read.
void RunSession::show_conversation(std::size_t index, const ConversationOutcome& outcome) {
  std::string text = outcome.first.text + (outcome.second ? outcome.second->text : std::string());
  if (text.empty() && outcome.first.stop_reason == StopReason::interrupted) return;
  if (options_.engine.n_seq_max > 1) text = fmt::format("[{}] {}", index, text);
  if (!text.ends_with('\n')) text += '\n';
  if (!screen_.show_text(text)) signals_.ask_stop();
}

void RunSession::follow_generation(GenerateOptions& generate) {
  if (options_.has_conversations()) {
    generate.on_conversation_end = [this](std::size_t index, const ConversationOutcome& outcome) {
      show_conversation(index, outcome);
    };
  } else {
    generate.on_text = [this](std::string_view text) {
      if (!screen_.show_text(text)) signals_.ask_stop();
    };
  }
  std::uint64_t prompt_tokens = 0;
  std::uint64_t predict = 0;
  for (const Conversation& asked : conversations_) {
    prompt_tokens += asked.prompt.size();
    predict += std::uint64_t{asked.predict} + asked.then;
  }
  auto meter = std::make_shared<SpeedMeter>();
  generate.on_progress = [this, meter, prompt_tokens, predict](std::uint32_t prefilled,
                                                               std::uint32_t decoded) {
    const double tok_s = meter->update(monotonic_us(), decoded);
    if (!screen_.is_progress_due()) return;
    const auto tick = governor_ == nullptr ? std::nullopt : governor_->last_tick();
    screen_.show_progress({.prompt_tokens = prompt_tokens,
                           .prefilled = prefilled,
                           .predict = predict,
                           .decoded = decoded,
                           .tok_s = tok_s},
                          tick ? &*tick : nullptr);
  };
}

Result<void> RunSession::generate() {
  GenerateOptions generate = options_.generate;
  follow_generation(generate);
  phases_.enter(RunPhase::prefill);
  const auto prefill_start = psi_.read();
  std::optional<PsiTotals> decode_start;
  generate.on_decode_start = [this, &decode_start] {
    phases_.enter(RunPhase::decode);
    decode_start = psi_.read();
  };
  const bool has_later_turns =
      std::ranges::any_of(conversations_, [](const Conversation& asked) { return asked.then > 0; });
  generate.on_first_turns_over = [this, &prefill_start, &decode_start, has_later_turns] {
    const auto decode_end = psi_.read();
    if (prefill_start && decode_start && decode_end) {
      record_.own_psi = OwnPsi{*prefill_start, *decode_start, *decode_end};
    }
    screen_.end_text();
    rest();
    if (has_later_turns) phases_.enter(RunPhase::then);
  };
  generate.on_turns_over = [this] { stop_governor(); };
  auto held = engine_->converse(conversations_, generate, governed_.get(), signals_.stop_flag());
  if (!held) return std::unexpected(held.error());
  record_.generation = std::move(held->whole);
  if (options_.has_conversations()) record_.conversations = std::move(held->each);
  return {};
}

bool RunSession::is_rest_over(std::uint64_t waited_us) {
  if (signals_.stop_flag().load()) return true;
  const double waited_s = static_cast<double>(waited_us) / 1e6;
  if (waited_s < options_.rest_s) return false;
  return waited_s >= options_.linger_s || governed_->measure().kv_trimmed_bytes == 0;
}

/// The engine is idle meanwhile, and the governor goes on.
void RunSession::rest() {
  record_.at_decode_end = governed_->measure();
  phases_.enter(RunPhase::rest);
  constexpr auto kLook = std::chrono::milliseconds(100);
  const std::uint64_t begin_us = monotonic_us();
  while (!is_rest_over(record_.rest_us)) {
    std::this_thread::sleep_for(kLook);
    record_.rest_us = monotonic_us() - begin_us;
  }
}

/// From here on the context is what the books say of it.
void RunSession::stop_governor() {
  status_.reset();
  signals_.set_governor(nullptr);
  if (governor_ != nullptr) governor_->stop();
}

void RunSession::finish() {
  phases_.enter(RunPhase::end);
  stop_governor();
  if (governor_ != nullptr) {
    record_.governor = governor_->record();
    const auto journal = governor_->journal_status();
    if (journal && journal->error) screen_.warn("the journal is cut: " + describe(*journal->error));
  }
  record_.context = governed_->measure();
  for (const std::string& loss : governed_->take_losses()) screen_.warn(loss);
  if (const auto memory = read_own_memory()) record_.memory = *memory;
}

Result<RunRecord> RunSession::run() {
  if (auto opened = phases_.open(options_.phases); !opened) {
    return std::unexpected(opened.error());
  }
  if (options_.is_watching()) {
    auto opened = GovernorThread::open(make_governor_setup(options_));
    if (!opened) return std::unexpected(opened.error());
    governor_ = std::move(*opened);
  }
  auto done = open_spill_file();  // before time goes into loading
  if (done) done = load();
  if (done) done = attach();
  if (!done) return std::unexpected(done.error());
  start_governor();
  start_status_server();
  print_banner();
  done = generate();
  finish();
  if (!done) return std::unexpected(done.error());
  return std::move(record_);
}

}  // namespace kvpsi
