// SPDX-License-Identifier: MIT
// The options of `kvpsi serve` as plain data, and how they are told from llama-server's, which pass
// through untouched. Next hops: cmd_serve_session.h (what happens), main_server.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/spill_options.h"
#include "llama/elastic.h"

namespace kvpsi {

struct ServeOptions {
  bool governor = true;
  bool dry_run = false;
  bool release = true;
  bool admission = true;  ///< refuse new work where memory is short
  /// A request waits this long for its turn before it is refused; empty: not at all.
  std::optional<std::uint64_t> admission_wait_us = 30'000'000;
  bool require = false;  ///< rather no server than one that is not governed
  bool quiet = false;
  SpillOptions spill;
  /// Of conversations that are being answered; see GovernOptions for what stays.
  TrimMode trim = TrimMode::last_resort;
  std::uint32_t trim_keep = GovernOptions{}.keep;
  std::uint32_t trim_tail = GovernOptions{}.tail;
  std::uint32_t trim_min = GovernOptions{}.min_prune;
  std::uint64_t kv_min_bytes = 0;
  std::uint64_t kv_max_bytes = 0;
  /// A conversation or saved prompt that nobody has used for this long goes to disk; empty: only
  /// when memory is short.
  std::optional<std::uint64_t> idle_spill_us = 60'000'000;
  std::string journal;
  std::string psi_own;
  std::string psi_parent;
  std::string psi_system;

  bool is_acting() const { return governor && !dry_run; }
  /// llama.cpp's memory differs from stock.
  bool is_elastic() const { return is_acting() && release; }
  bool may_trim() const { return is_elastic() && trim != TrimMode::off; }
};

/// A command line taken apart.
struct ServeArguments {
  ServeOptions options;
  std::vector<std::string> server;  ///< llama-server's words, in their order
  std::string model;                ///< what they name as the model, for people; may be empty
  bool names_cache_size = false;    ///< they, or the environment, bound the prompt cache
  bool asks_for_help = false;
  bool asks_for_version = false;
  /// Ours as environment variables, so that a child that runs this program on its own has them.
  std::vector<std::pair<std::string, std::string>> environment;
};

/// `words` without the program's name. Errors: invalid_argument for a word of ours that is wrong.
Result<ServeArguments> split_serve_arguments(const std::vector<std::string>& words);

/// The help of our own options.
std::string serve_help();

}  // namespace kvpsi
