// SPDX-License-Identifier: MIT
// See engine_flags.h.
#include "bench/engine_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "bench/presser.h"
#include "bench/prompt_text.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kContextBlock = 256;
/// Between decoding and later turns, for the neighbour to be gone by then.
constexpr double kRestSeconds = 1;
/// Twenty times what a later turn takes with all in memory.
constexpr double kThenMostSeconds = 20;

void add(std::vector<std::string>& words, const char* flag, const auto& value) {
  words.emplace_back(flag);
  words.push_back(fmt::format("{}", value));
}

bool trims(const RunSpec& spec) {
  switch (spec.variant) {
    case Variant::psi:
      return may_trim(spec.squeeze);
    case Variant::trim_only:
      return true;
    case Variant::unsqueezed:
    case Variant::fixed:
    case Variant::psi_strict:
    case Variant::release_only:
    case Variant::small:
      break;
  }
  return false;
}

bool is_governed(Variant variant) {
  return variant == Variant::psi || variant == Variant::psi_strict ||
         variant == Variant::release_only || variant == Variant::trim_only;
}

/// Has a file for what leaves memory. The halves of psi show what it does without one.
bool may_spill(Variant variant) {
  return variant == Variant::psi || variant == Variant::psi_strict;
}

void add_governor(std::vector<std::string>& words, const RunSpec& spec) {
  if (!is_governed(spec.variant)) {
    add(words, "--governor", "off");
    return;
  }
  add(words, "--governor", "on");
  add(words, "--trim", trims(spec) ? "eager" : "off");
  if (!may_spill(spec.variant)) {
    add(words, "--spill-dir", "off");
  } else if (!spec.spill_dir.empty()) {
    add(words, "--spill-dir", spec.spill_dir);
  }
  if (!trims(spec)) return;
  add(words, "--keep", spec.keep);
  add(words, "--tail", spec.tail);
  add(words, "--min-prune", spec.min_prune);
  if (spec.variant == Variant::trim_only) add(words, "--release", "off");
}

void add_prompt(std::vector<std::string>& words, const RunSpec& spec) {
  add(words, "--prompt-tokens", spec.prompt_tokens);
  if (spec.tenants > 1) {
    add(words, "--parallel", spec.tenants);
    add(words, "--prompts", spec.prompts_file);
    return;
  }
  add(words, "--file", spec.prompt_file);
  add(words, "--predict", spec.n_predict);
  if (spec.prompt_total == 0) return;
  add(words, "--prompt-head", std::min(spec.keep, spec.prompt_total));
  add(words, "--prompt-total", spec.prompt_total);
}

/// Whole MiB, rounded up: the unit of press's options.
std::uint64_t whole_mib(std::uint64_t bytes) { return (bytes + kMiB - 1) / kMiB; }

}  // namespace

std::uint64_t least_context(std::uint64_t prompt_tokens, std::uint64_t n_predict) {
  const std::uint64_t tokens = prompt_tokens + n_predict;
  return (tokens + kContextBlock - 1) / kContextBlock * kContextBlock;
}

void size_small(RunSpec& spec, const PsiEnd& psi) {
  const std::uint64_t of_prompt =
      psi.kv_final_tokens > psi.decoded ? psi.kv_final_tokens - psi.decoded : 0;
  spec.prompt_total = std::clamp(of_prompt, std::min(spec.keep + spec.tail, spec.prompt_tokens),
                                 spec.prompt_tokens);
  spec.n_ctx = least_context(spec.prompt_total, spec.n_predict);
}

std::uint64_t live_tokens(const RunSpec& spec) {
  return spec.tenants * spec.prompt_tokens + spec.n_predict;
}

double most_seconds_after(const RunSpec& spec) {
  const double rest_s = spec.then_tokens > 0 ? kRestSeconds : 0;
  const double then_s =
      spec.then_tokens > 0 ? kThenMostSeconds * static_cast<double>(spec.tenants - 1) : 0;
  return std::max(rest_s, spec.linger_s) + then_s;
}

std::string make_prompts(const RunSpec& spec) {
  std::string lines;
  for (std::uint64_t tenant = 1; tenant <= spec.tenants; ++tenant) {
    const bool decodes = tenant == spec.tenants;
    // As many words as tokens: with at least one token a word that is always enough.
    lines += nlohmann::json{{"prompt", make_prompt(spec.seed + tenant, spec.prompt_tokens)},
                            {"predict", decodes ? spec.n_predict : 0},
                            {"then", decodes ? 0 : spec.then_tokens}}
                 .dump() +
             "\n";
  }
  return lines;
}

std::vector<std::string> run_words(const RunSpec& spec, const RunFiles& files) {
  std::vector<std::string> words = {"run"};
  add(words, "--model", spec.model);
  add_prompt(words, spec);
  add(words, "--ctx-size", spec.n_ctx);
  add(words, "--threads", spec.threads);
  add(words, "--seed", spec.seed);
  add(words, "--temp", 0);
  words.emplace_back("--ignore-eos");
  add(words, "--time-max", spec.time_max_s);
  add_governor(words, spec);
  if (spec.linger_s > 0 && trims(spec)) add(words, "--linger-s", spec.linger_s);
  if (spec.then_tokens > 0) add(words, "--rest-s", kRestSeconds);
  add(words, "--journal", files.journal);
  if (!files.phases.empty()) add(words, "--phases", files.phases);
  words.insert(words.end(), {"--json", "--quiet"});
  return words;
}

std::vector<std::string> press_words(const PressSpec& spec, double for_s,
                                     const std::string& directory, const std::string& rounds_log) {
  std::vector<std::string> words = {"press"};
  if (spec.anon_bytes > 0) add(words, "--mib", whole_mib(spec.anon_bytes));
  if (spec.file_bytes > 0) {
    add(words, "--file-mib", whole_mib(spec.file_bytes));
    add(words, "--file-dir", directory);
  }
  if (spec.step_bytes > 0) {
    add(words, "--step-mib", whole_mib(spec.step_bytes));
    add(words, "--step-s", spec.step_s);
  }
  add(words, "--for", std::min(for_s, kPressMostSeconds));
  add(words, "--rounds-log", rounds_log);
  if (spec.force) words.emplace_back("--force");
  words.insert(words.end(), {"--json", "--quiet"});
  return words;
}

}  // namespace kvpsi
