// SPDX-License-Identifier: MIT
// See engine_flags.h.
#include "bench/engine_flags.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "bench/presser.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kContextBlock = 256;

void add(std::vector<std::string>& words, const char* flag, const auto& value) {
  words.emplace_back(flag);
  words.push_back(fmt::format("{}", value));
}

bool trims(const RunSpec& spec) {
  switch (spec.variant) {
    case Variant::psi:
      return spec.squeeze != Squeeze::s1;
    case Variant::trim_only:
      return true;
    case Variant::unsqueezed:
    case Variant::fixed:
    case Variant::release_only:
    case Variant::small:
      break;
  }
  return false;
}

bool is_governed(Variant variant) {
  return variant == Variant::psi || variant == Variant::release_only ||
         variant == Variant::trim_only;
}

void add_governor(std::vector<std::string>& words, const RunSpec& spec) {
  if (!is_governed(spec.variant)) {
    add(words, "--governor", "off");
    return;
  }
  add(words, "--governor", "on");
  add(words, "--trim", trims(spec) ? "eager" : "off");
  if (!trims(spec)) return;
  add(words, "--keep", spec.keep);
  add(words, "--tail", spec.tail);
  add(words, "--min-prune", spec.min_prune);
  if (spec.variant == Variant::trim_only) add(words, "--release", "off");
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

std::vector<std::string> run_words(const RunSpec& spec, const std::string& journal) {
  std::vector<std::string> words = {"run"};
  add(words, "--model", spec.model);
  add(words, "--file", spec.prompt_file);
  add(words, "--prompt-tokens", spec.prompt_tokens);
  if (spec.prompt_total > 0) {
    add(words, "--prompt-head", std::min(spec.keep, spec.prompt_total));
    add(words, "--prompt-total", spec.prompt_total);
  }
  add(words, "--predict", spec.n_predict);
  add(words, "--ctx-size", spec.n_ctx);
  add(words, "--threads", spec.threads);
  add(words, "--seed", spec.seed);
  add(words, "--temp", 0);
  words.emplace_back("--ignore-eos");
  add(words, "--time-max", spec.time_max_s);
  add_governor(words, spec);
  add(words, "--journal", journal);
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
