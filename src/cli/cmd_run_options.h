// SPDX-License-Identifier: MIT
// The options of `kvpsi run` as plain data, and the checks that need no model. Next hop:
// cmd_run_session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/cmd_run_prompts.h"
#include "cli/spill_options.h"
#include "llama/elastic.h"
#include "llama/engine.h"

namespace CLI {
class App;
}

namespace kvpsi {

/// What the command line says. The engine's own options are filled in place.
struct RunOptions {
  EngineOptions engine;
  GenerateOptions generate;
  PromptOptions prompt;
  std::string prompt_file;
  std::string prompts_file;          ///< conversations as JSON Lines
  std::vector<PromptEntry> prompts;  ///< from whichever of the three; set when complete

  bool governor = true;
  bool dry_run = false;
  bool release = true;
  TrimMode trim = TrimMode::last_resort;
  SpillOptions spill;
  std::uint32_t keep = 64;
  std::uint32_t tail = 256;
  std::uint32_t min_prune = 64;
  bool keep_or_tail_given = false;
  std::uint64_t kv_min_bytes = 0;
  std::uint64_t kv_max_bytes = 0;
  std::uint64_t kv_soft_max_bytes = 0;  ///< 0 = no goal
  double linger_s = 0;  ///< after decoding, wait this long at most until trimmed context is back
  double rest_s = 0;    ///< after decoding, wait this long at least
  std::string journal;
  std::string phases;
  std::string psi_own;
  std::string psi_parent;
  std::string psi_system;

  /// Several conversations are told apart in what is printed.
  bool has_conversations() const { return engine.n_seq_max > 1 || !prompts_file.empty(); }
  /// The pools are acted on, and KV memory follows tokens.
  bool is_acting() const { return governor && !dry_run; }
  /// llama.cpp's memory differs from stock.
  bool is_elastic() const { return is_acting() && release; }
  /// Rows may go to a file.
  bool may_spill() const { return is_elastic(); }
  /// Gives up context when memory is short: others may leave it its share of the burden.
  bool shares_need() const { return is_acting() && trim != TrimMode::off; }
  /// A governor thread runs, if only to record.
  bool is_watching() const { return governor || !journal.empty(); }
};

/// Declares the options on `app`, writing into `options`, which must outlive the parse.
void add_run_options(CLI::App& app, RunOptions& options);

/// Reads the prompts and finds what contradicts itself. Errors: invalid_argument naming the flags;
/// not_found, permission, io, malformed for the prompt file, naming the line.
Result<void> complete_run_options(RunOptions& options);

/// keep + tail must leave something to trim in a context of `n_ctx` tokens.
Result<void> check_trim_window(const RunOptions& options, std::uint32_t n_ctx);

}  // namespace kvpsi
