// SPDX-License-Identifier: MIT
// From a variant to the words of `kvpsi run` and `kvpsi press`: the one place that says how the
// variants differ. Pure. Next hop: run_trial starts them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/plan.h"

namespace kvpsi {

/// What one run of the engine is to do.
struct RunSpec {
  Variant variant = Variant::fixed;
  Squeeze squeeze = Squeeze::s1;
  std::string model;
  std::string prompt_file;   ///< one conversation
  std::string prompts_file;  ///< several (JSON lines); empty: prompt_file
  std::uint64_t n_ctx = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t n_predict = 0;
  std::uint64_t tenants = 1;      ///< conversations of prompt_tokens each; the last one decodes
  std::uint64_t then_tokens = 0;  ///< what each of the others decodes after it
  std::uint32_t threads = 1;
  std::uint64_t seed = 0;
  std::uint64_t keep = 64;
  std::uint64_t tail = 256;
  std::uint64_t min_prune = 64;
  double time_max_s = 20;
  double linger_s = 0;    ///< after decoding, wait this long at most for trimmed context
  std::string spill_dir;  ///< empty: the engine chooses
  /// `small` only: the prompt is cut to this many tokens, the first `keep` and the last of it.
  std::uint64_t prompt_total = 0;
};

/// The neighbour: anonymous and file-backed memory in a closed loop.
struct PressSpec {
  std::uint64_t anon_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t step_bytes = 0;
  double step_s = 1;
  double warmup_s = 0;  ///< starts this long after the engine; 0 = before it
  bool force = false;   ///< may ask for more than the group has left

  std::uint64_t bytes() const { return anon_bytes + file_bytes; }
};

/// What psi left of its cache, from which `small` follows.
struct PsiEnd {
  std::uint64_t kv_final_tokens = 0;
  std::uint64_t decoded = 0;
};

/// Sets n_ctx and prompt_total of a `small` run: the prompt as psi kept it (its final cells without
/// those decoded, but at least keep + tail where a trim ate decoded ones), and a context for that
/// and n_predict in whole blocks of 256 (llama.cpp pads to it).
void size_small(RunSpec& spec, const PsiEnd& psi);

/// The least context for a prompt and an answer, in whole blocks of 256 cells.
std::uint64_t least_context(std::uint64_t prompt_tokens, std::uint64_t n_predict);

/// Tokens that are in the cache when decoding ends: what nobody may lose.
std::uint64_t live_tokens(const RunSpec& spec);

/// Seconds that a run may go on after decoding: the rest, and the later turns.
double most_seconds_after(const RunSpec& spec);

/// One conversation a line for --prompts: `tenants` of them, each with a text of its own that is
/// long enough; the last decodes, then each of the others. Pure, from the seed.
std::string make_prompts(const RunSpec& spec);

/// What a run of the engine writes besides its summary.
struct RunFiles {
  std::string journal;
  std::string phases;
};

/// Words after "kvpsi". Stock variants run with --governor off, where a journal only observes.
std::vector<std::string> run_words(const RunSpec& spec, const RunFiles& files);

/// Words after "kvpsi". `directory` takes the unlinked file, `rounds_log` the rounds.
std::vector<std::string> press_words(const PressSpec& spec, double for_s,
                                     const std::string& directory, const std::string& rounds_log);

}  // namespace kvpsi
