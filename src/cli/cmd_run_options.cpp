// SPDX-License-Identifier: MIT
// Declaration and checks of `kvpsi run`'s options; see cmd_run_options.h.
#include "cli/cmd_run_options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

#include "base/bytes.h"
#include "cli/options.h"
#include "cli/output_file.h"
#include "cli/trim_option.h"

namespace kvpsi {
namespace {

constexpr std::uint32_t kMany = kMaxTokens;

void add_text_options(CLI::App& app, RunOptions& options) {
  app.add_option("-p,--prompt", options.prompt.text, "The prompt")->type_name("TEXT");
  app.add_option("-f,--file", options.prompt_file, "Read the prompt from a file; -: from stdin")
      ->type_name("FILE");
  app.add_option(
         "--prompts", options.prompts_file,
         "Read conversations from a file, a JSON object a line: {\"prompt\": \"text\", "
         "\"predict\": 64, \"then\": 0, \"prompt_tokens\": 0}; -: from stdin. predict 0: it "
         "waits in the cache; then: tokens of a second turn, after all first ones")
      ->type_name("FILE");
  add_number_option(app, "--parallel", options.engine.n_seq_max, 1, 256,
                    "Conversations in the cache at once, each a sequence of its own: from "
                    "--prompts, or from -f with a line --- between them");
  app.add_flag("--chat", options.prompt.chat, "Put the prompt into the model's chat template");
  add_number_option(app, "--prompt-tokens", options.prompt.tokens, 0, kMany,
                    "Make the prompt this long: cut it, or repeat its text; 0: as it is");
  add_number_option(app, "--prompt-head", options.prompt.head, 0, kMany,
                    "With --prompt-total: keep this many of the first tokens of the prompt");
  add_number_option(app, "--prompt-total", options.prompt.total, 0, kMany,
                    "With --prompt-head: and as many of the last that this is their number");
  add_number_option(app, "-n,--predict", options.generate.predict, 0, kMany,
                    "Tokens to generate at most");
  app.add_option("--stop", options.generate.stops, "Stop at this text (repeatable)")
      ->type_name("TEXT");
  app.add_flag("--ignore-eos", options.generate.ignore_eos, "Go on where the model would end");
  add_number_option(app, "--seed", options.generate.seed, 0,
                    std::numeric_limits<std::uint32_t>::max(), "Seed of the sampling");
  add_number_option(app, "--temp", options.generate.temperature, 0, 100,
                    "Temperature; 0: always the likeliest token");
  add_number_option(app, "--time-max", options.generate.time_max_s, 0, 1e6,
                    "Stop decoding after this many seconds; 0: never");
}

void add_engine_options(CLI::App& app, EngineOptions& engine) {
  app.add_option("-m,--model", engine.model, "Model file (GGUF)")->type_name("FILE")->required();
  add_number_option(app, "-c,--ctx-size", engine.n_ctx, 0, kMany,
                    "Context in tokens, all conversations together; 0: as the model was trained. "
                    "Default: as trained, 4096 at most. With --parallel N it may be N times what "
                    "the model was trained for, as no conversation gets longer than that");
  app.add_flag("--beyond-training", engine.beyond_training,
               "Allow a context longer than the model was trained for");
  engine.threads = std::max(1U, std::thread::hardware_concurrency());
  add_number_option(app, "-t,--threads", engine.threads, 1, 512, "Threads of the computation");
  add_number_option(app, "--n-batch", engine.n_batch, 1, 1U << 20,
                    "Prompt tokens evaluated at once");
  add_choice_option<FlashAttention>(
      app, "--flash-attn", engine.flash_attention,
      {{"auto", FlashAttention::automatic},
       {"on", FlashAttention::on},
       {"off", FlashAttention::off}},
      "Flash attention; off keeps half of the KV memory from coming back");
  app.add_option("--cache-type-k", engine.cache_type_k, "Type of the K cache (f16, q8_0, ...)")
      ->type_name("TYPE")
      ->capture_default_str();
  app.add_option("--cache-type-v", engine.cache_type_v, "Type of the V cache (f16, q8_0, ...)")
      ->type_name("TYPE")
      ->capture_default_str();
  app.add_flag("--kv-unified,!--no-kv-unified", engine.kv_unified,
               "One KV buffer that all conversations fill as they need it (the default); "
               "--no-kv-unified: each has a fixed share of -c / N, rounded up to 256 tokens");
  app.add_flag("--mmap,!--no-mmap", engine.mmap, "Map the model file (the default)");
  app.add_flag("--mlock", engine.mlock, "Lock the weights into memory");
  app.add_flag("--verbose", engine.verbose, "Show llama.cpp's log on stderr");
}

void add_governor_options(CLI::App& app, RunOptions& options) {
  add_on_off_option(app, "--governor", options.governor, "Give memory back under pressure");
  app.add_flag("--dry-run", options.dry_run, "Say what would be done (--journal), do nothing");
  add_trim_option(app, "--trim", options.trim, "the context");
  add_number_option(app, "--keep", options.keep, 0, kMany, "First tokens that trim never drops");
  add_number_option(app, "--tail", options.tail, 1, kMany, "Last tokens that trim never drops");
  add_number_option(app, "--min-prune", options.min_prune, 1, kMany,
                    "Trim drops this many tokens or none");
  add_bytes_option(app, "--kv-max", options.kv_max_bytes, "Cap of live KV memory; 0: none");
  add_bytes_option(app, "--kv-soft-max", options.kv_soft_max_bytes,
                   "Goal for live KV memory: shown, not enforced by kvpsi run, which has no new "
                   "work to refuse; 0: none. `kvpsi status --set-kv-soft-max` changes it");
  add_bytes_option(app, "--kv-min", options.kv_min_bytes, "Trim leaves at least this much live KV");
  add_spill_options(app, options.spill, "--spill");
  add_on_off_option(app, "--release", options.release,
                    "off: free pages stay (to compare trimming alone)");
  app.add_option("--journal", options.journal, "Record every turn of the governor (JSON lines)")
      ->type_name("FILE");
  app.add_option("--phases", options.phases,
                 "Tell when loading, prefill, decoding and rest begin (JSON lines)")
      ->type_name("FILE");
  add_number_option(app, "--linger-s", options.linger_s, 0, 3600,
                    "After decoding, stay until trimmed context is back, this long at most");
  add_number_option(app, "--rest-s", options.rest_s, 0, 3600,
                    "After decoding, stay this long at least");
  app.add_option("--psi-own", options.psi_own, "Pressure file, FIFO or socket of the own group")
      ->type_name("PATH");
  app.add_option("--psi-parent", options.psi_parent, "The same of the parent group")
      ->type_name("PATH");
  app.add_option("--psi-system", options.psi_system, "The same of the machine")->type_name("PATH");
}

Result<void> check_governor_options(const RunOptions& options) {
  const bool asks_for_cap = options.kv_max_bytes != 0 || options.kv_soft_max_bytes != 0 ||
                            options.trim == TrimMode::eager;
  if (!options.governor && asks_for_cap) {
    return fail(ErrorCode::invalid_argument,
                "--kv-max, --kv-soft-max and --trim eager need --governor on");
  }
  if (options.dry_run && !options.governor) {
    return fail(ErrorCode::invalid_argument,
                "--dry-run needs --governor on; --governor off --journal FILE only records");
  }
  if (options.kv_max_bytes != 0 && options.kv_min_bytes > options.kv_max_bytes) {
    return fail(ErrorCode::invalid_argument, fmt::format("--kv-min {} is more than --kv-max {}",
                                                         format_bytes(options.kv_min_bytes),
                                                         format_bytes(options.kv_max_bytes)));
  }
  return {};
}

/// At most one of the three ways to say what is asked, and at least one.
Result<void> check_prompt_sources(const RunOptions& options) {
  std::string given;
  for (const auto& [flag, value] :
       {std::pair<const char*, const std::string*>{"-p", &options.prompt.text},
        {"-f", &options.prompt_file},
        {"--prompts", &options.prompts_file}}) {
    if (value->empty()) continue;
    if (!given.empty()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{} and {} exclude each other", given, flag));
    }
    given = flag;
  }
  if (!given.empty()) return {};
  return fail(ErrorCode::invalid_argument,
              "no prompt: give one with -p TEXT or -f FILE, or several with --prompts FILE");
}

Result<void> read_prompts(RunOptions& options) {
  if (const auto one = check_prompt_sources(options); !one) return one;
  const PromptEntry defaults{.text = {},
                             .predict = options.generate.predict,
                             .then = 0,
                             .tokens = options.prompt.tokens,
                             .where = {}};
  const std::string& path =
      options.prompts_file.empty() ? options.prompt_file : options.prompts_file;
  options.prompts = {defaults};
  options.prompts.front().text = options.prompt.text;
  if (path.empty()) return {};
  auto text = read_prompt_file(path);
  if (!text) return std::unexpected(text.error());
  if (!options.has_conversations()) {
    options.prompts.front().text = std::move(*text);
    return {};
  }
  auto entries = options.prompts_file.empty() ? split_prompts(*text, path, defaults)
                                              : parse_prompts(*text, path, defaults);
  if (!entries) return std::unexpected(entries.error());
  options.prompts = std::move(*entries);
  const auto staying = std::ranges::count_if(options.prompts, [](const PromptEntry& entry) {
    return stays_in_cache(entry.predict, entry.then);
  });
  const auto seated = check_seats(options.prompts.size(), static_cast<std::size_t>(staying),
                                  options.engine.n_seq_max);
  return seated ? seated : fail(seated.error().code, seated.error().what, path);
}

}  // namespace

void add_run_options(CLI::App& app, RunOptions& options) {
  add_engine_options(app, options.engine);
  add_text_options(app, options);
  add_governor_options(app, options);
}

Result<void> check_trim_window(const RunOptions& options, std::uint32_t n_ctx) {
  if (options.trim != TrimMode::eager && !options.keep_or_tail_given) return {};
  const std::uint64_t kept = std::uint64_t{options.keep} + options.tail;
  if (kept < n_ctx) return {};
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("--keep {} and --tail {} leave nothing to trim in a context of {} tokens; "
                  "lower them or raise -c",
                  options.keep, options.tail, n_ctx));
}

Result<void> complete_run_options(RunOptions& options) {
  if (const auto read = read_prompts(options); !read) return read;
  if (options.engine.n_ctx && *options.engine.n_ctx != 0) {
    const auto window = check_trim_window(options, *options.engine.n_ctx);
    if (!window) return window;
  }
  for (const std::string& read :
       {options.engine.model, options.prompt_file, options.prompts_file}) {
    if (is_same_file(options.journal, read) || is_same_file(options.phases, read)) {
      return fail(ErrorCode::invalid_argument,
                  "--journal or --phases would overwrite what this run reads; name another file",
                  read);
    }
  }
  if (is_same_file(options.journal, options.phases)) {
    return fail(ErrorCode::invalid_argument, "--journal and --phases are the same file",
                options.phases);
  }
  return check_governor_options(options);
}

}  // namespace kvpsi
