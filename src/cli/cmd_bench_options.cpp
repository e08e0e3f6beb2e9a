// SPDX-License-Identifier: MIT
// See cmd_bench_options.h.
#include "cli/cmd_bench_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/bytes.h"
#include "base/gguf_file.h"
#include "cli/model_path.h"
#include "cli/options.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kMany = 1ULL << 31;
constexpr std::uint64_t kTenants = 4;
constexpr std::uint64_t kThenTokens = 32;

void add_reference_options(CLI::App& app, BenchCommand& command) {
  const auto by_squeeze = [](CLI::Option* option) { option->default_str("by squeeze"); };
  by_squeeze(add_number_option(app, "-c,--ctx-size", command.n_ctx, 1, kMany,
                               "Context (S1 8192, reference 2048, else what is needed)"));
  by_squeeze(add_number_option(app, "-n,--predict", command.n_predict, 1, kMany,
                               "Tokens to decode (300, reference 1536)"));
  by_squeeze(add_number_option(app, "--prompt-tokens", command.prompt_tokens, 1, kMany,
                               "Tokens of a prompt (2000, S3 1500, reference 384)"));
  add_number_option(app, "--keep", command.keep, 0, kMany, "First tokens that trim never drops");
  add_number_option(app, "--tail", command.tail, 1, kMany, "Last tokens that trim never drops");
  add_number_option(app, "--min-prune", command.min_prune, 1, kMany,
                    "Trim at least this many tokens or none");
  by_squeeze(add_number_option(app, "--pressure-mib", command.pressure_mib, 1, 1 << 20,
                               "Memory of the neighbour (100, reference 6000)"));
  by_squeeze(add_number_option(app, "--pressure-step-mib", command.pressure_step_mib, 1, 1 << 20,
                               "It grows by this much a second (at once, reference 1024)"));
  by_squeeze(add_number_option(app, "--pressure-warmup-s", command.pressure_warmup_s, 0, 600,
                               "It starts this long after the engine (before it, reference 10)"));
  app.add_option("--variant-order", command.order, "Which of fixed and psi runs first")
      ->type_name("fixed-first|psi-first|both|random")
      ->default_str("both");
  add_number_option(app, "--variant-cooldown-s", command.cooldown_s, 0, 600,
                    "Seconds of rest before each run");
  app.add_option("--out-dir", command.out_dir, "Where results go")
      ->type_name("DIR")
      ->default_str("kvpsi-out/bench");
  app.add_flag("--preflight-only", command.preflight_only,
               "Only look at the machine, as kvpsi doctor does");
}

void add_own_options(CLI::App& app, BenchCommand& command) {
  app.add_option("-m,--model", command.model, "Model file (GGUF)")
      ->type_name("FILE")
      ->default_str("the one make fetches");
  auto* demo = app.add_flag("--demo", command.demo, "S3 and S2, once each; at most 8 minutes");
  app.add_flag("--at-rest", command.at_rest,
               "What governing costs without any squeeze: paired blocks in one process")
      ->excludes(demo);
  app.add_flag("--rows", command.rows,
               "Rows read back against rows computed anew, and decoding after a trim")
      ->excludes(demo);
  add_number_option(app, "--at-rest-pairs", command.at_rest_pairs, 3, 900,
                    "Pairs of blocks for --at-rest");
  app.add_flag("--full", command.full, "S1, S2 and S3, 2 to 5 trials an order; at most an hour")
      ->excludes(demo);
  app.add_option("--squeeze", command.squeezes,
                 "What to run: S1, S2, S3, reference; comma-separated")
      ->type_name("LIST")
      ->default_str("S1,S2,S3");
  app.add_option(
         "--variants", command.variants,
         "unsqueezed, fixed, psi, psi-strict, release-only, trim-only, small; comma-separated")
      ->type_name("LIST")
      ->default_str("by squeeze");
  add_choice_option<Scope>(
      app, "--scope", command.scope,
      {{"auto", Scope::automatic}, {"cgroup", Scope::cgroup}, {"system", Scope::system}},
      "Squeeze a group, or the whole machine (reference only)");
  add_number_option(app, "--limit-mib", command.limit_mib, 1, 1 << 24,
                    "Limit of the group instead of a measured one")
      ->default_str("measured");
  add_number_option(app, "--trials", command.trials, 1, 1000, "Trials an order")->default_str("3");
  add_number_option(app, "--time-max", command.time_max_s, 1, 3600,
                    "Longest decoding of a run in seconds")
      ->default_str("20, reference 120");
  add_number_option(app, "--linger-s", command.linger_s, 0, 600,
                    "How long psi waits after a run for context that it took out (S2, reference)");
  app.add_option("--spill-dir", command.spill_dir, "Where psi keeps what leaves memory")
      ->type_name("DIR")
      ->default_str("as kvpsi run chooses");
  add_number_option(app, "--seed", command.seed, 0, UINT64_MAX, "Of prompt, plan and intervals");
  add_number_option(app, "-t,--threads", command.threads, 1, 512, "Threads of the engine");
}

/// What runs under a squeeze where the command does not say.
std::vector<Variant> default_variants(Squeeze squeeze, const BenchCommand& command) {
  using enum Variant;
  switch (squeeze) {
    case Squeeze::s1:
    case Squeeze::s3:
      return {unsqueezed, fixed, psi};
    case Squeeze::s2:
      return command.demo ? std::vector{fixed, psi, psi_strict}
                          : std::vector{fixed, psi, psi_strict, small};
    case Squeeze::reference:
      break;
  }
  return {fixed, psi};
}

std::uint64_t or_default(std::uint64_t value, std::uint64_t fallback) {
  return value > 0 ? value : fallback;
}

PressSpec make_neighbour(const BenchCommand& command, bool is_reference, Scope scope) {
  PressSpec spec;
  const std::uint64_t bytes = or_default(command.pressure_mib, is_reference ? 6000 : 100) * kMiB;
  if (is_reference) {
    spec.anon_bytes = bytes;
    spec.force = scope == Scope::cgroup;  // there the limit was made for it
  } else {
    spec = split_neighbour(bytes);
  }
  spec.step_bytes = or_default(command.pressure_step_mib, is_reference ? 1024 : 0) * kMiB;
  spec.warmup_s =
      command.pressure_warmup_s >= 0 ? command.pressure_warmup_s : (is_reference ? 10 : 0);
  return spec;
}

/// Runs of S3 take twice as long as others: four prompts are evaluated in each.
std::uint32_t default_trials(Squeeze squeeze, const BenchCommand& command) {
  if (command.trials > 0) return command.trials;
  if (command.demo) return 1;
  if (command.full && squeeze != Squeeze::s3) return 5;
  return squeeze == Squeeze::s3 ? 2 : 3;
}

Result<SqueezeOptions> make_squeeze(const BenchCommand& command, Squeeze squeeze) {
  const bool is_reference = squeeze == Squeeze::reference;
  SqueezeOptions options;
  options.plan.squeeze = squeeze;
  options.plan.variants = default_variants(squeeze, command);
  if (!command.variants.empty()) {
    auto variants = parse_variants(command.variants);
    if (!variants) return std::unexpected(variants.error());
    options.plan.variants = std::move(*variants);
  }
  options.plan.trials_per_order = default_trials(squeeze, command);
  if (command.demo) options.plan.orders = OrderChoice::fixed_first;
  if (!command.order.empty()) {
    const auto order = parse_order_choice(command.order);
    if (!order) return std::unexpected(order.error());
    options.plan.orders = *order;
  }
  options.n_ctx = command.n_ctx > 0 ? command.n_ctx : is_reference ? 2048 : 0;
  options.n_predict = or_default(command.n_predict, is_reference ? 1536 : 300);
  const bool is_tenants = squeeze == Squeeze::s3;
  options.prompt_tokens =
      or_default(command.prompt_tokens, is_reference ? 384 : (is_tenants ? 1500 : 2000));
  options.tenants = is_tenants ? kTenants : 1;
  options.then_tokens = is_tenants ? kThenTokens : 0;
  options.linger_s = may_trim(squeeze) ? command.linger_s : 0;
  options.neighbour = make_neighbour(command, is_reference, command.scope);
  options.limit_bytes = command.limit_mib * kMiB;
  options.time_max_s = command.time_max_s > 0 ? command.time_max_s : is_reference ? 120 : 20;
  options.scope = command.scope;
  return options;
}

Result<std::string> find_model(const BenchCommand& command) {
  const std::string path = command.model.empty() ? cached_model_path() : command.model;
  if (const auto file = read_gguf_file(path); !file) {
    Error error = file.error();
    if (command.model.empty()) {
      error.what += "; fetch it with `scripts/fetch.sh model`, or name one by --model";
    }
    return std::unexpected(error);
  }
  return path;
}

}  // namespace

void add_bench_options(CLI::App& app, BenchCommand& command) {
  add_own_options(app, command);
  add_reference_options(app, command);
  add_reality_options(app, command.reality);
}

Result<BenchOptions> make_bench_options(const BenchCommand& command) {
  BenchOptions options;
  std::string squeezes = command.squeezes;
  if (squeezes.empty()) {
    squeezes = command.scope == Scope::system ? "reference" : command.demo ? "S3,S2" : "S1,S2,S3";
  }
  const auto named = parse_squeezes(squeezes);
  if (!named) return std::unexpected(named.error());
  for (const Squeeze squeeze : *named) {
    auto made = make_squeeze(command, squeeze);
    if (!made) return std::unexpected(made.error());
    options.squeezes.push_back(std::move(*made));
  }
  auto model = find_model(command);
  if (!model) return std::unexpected(model.error());
  options.model = std::move(*model);
  options.out_dir = !command.out_dir.empty() ? command.out_dir
                    : command.demo           ? "kvpsi-out/demo"
                    : command.full           ? "kvpsi-out/full"
                    : command.reality.asked  ? kRealityOutDir
                                             : "kvpsi-out/bench";
  options.flags = describe_flags(command);
  options.seed = command.seed;
  options.threads = command.threads;
  options.keep = command.keep;
  options.tail = command.tail;
  options.min_prune = command.min_prune;
  options.cooldown_s = command.cooldown_s;
  options.spill_dir = command.spill_dir;
  return options;
}

std::string describe_flags(const BenchCommand& command) {
  const BenchCommand plain;
  std::string text = "bench";
  const auto add = [&](const char* flag, const auto& value, const auto& usual) {
    if (value != usual) text += fmt::format(" {} {}", flag, value);
  };
  if (command.demo) text += " --demo";
  if (command.full) text += " --full";
  if (command.reality.asked) text += " --against-simulation";
  if (command.reality.resume) text += " --resume";
  add("--repetitions", command.reality.repetitions, plain.reality.repetitions);
  add("--sim-seeds", command.reality.seeds, plain.reality.seeds);
  if (command.scope != plain.scope) {
    text += command.scope == Scope::cgroup ? " --scope cgroup" : " --scope system";
  }
  add("--squeeze", command.squeezes, plain.squeezes);
  add("--variants", command.variants, plain.variants);
  add("--variant-order", command.order, plain.order);
  add("--trials", command.trials, plain.trials);
  add("-c", command.n_ctx, plain.n_ctx);
  add("-n", command.n_predict, plain.n_predict);
  add("--prompt-tokens", command.prompt_tokens, plain.prompt_tokens);
  add("--pressure-mib", command.pressure_mib, plain.pressure_mib);
  add("--pressure-step-mib", command.pressure_step_mib, plain.pressure_step_mib);
  add("--pressure-warmup-s", command.pressure_warmup_s, plain.pressure_warmup_s);
  add("--limit-mib", command.limit_mib, plain.limit_mib);
  add("--time-max", command.time_max_s, plain.time_max_s);
  add("--variant-cooldown-s", command.cooldown_s, plain.cooldown_s);
  add("--linger-s", command.linger_s, plain.linger_s);
  add("--spill-dir", command.spill_dir, plain.spill_dir);
  add("--keep", command.keep, plain.keep);
  add("--tail", command.tail, plain.tail);
  add("--min-prune", command.min_prune, plain.min_prune);
  add("--seed", command.seed, plain.seed);
  add("--threads", command.threads, plain.threads);
  return text;
}

}  // namespace kvpsi
