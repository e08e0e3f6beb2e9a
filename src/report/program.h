// SPDX-License-Identifier: MIT
// Finding and running a helper program such as gnuplot. No shell is involved, so names need no
// quoting. Must not be used while a model is loaded: a child starts from a copy of our page tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// Looks the name up in the colon-separated folders of `search_path` (the value of $PATH).
std::optional<std::string> find_program(std::string_view name, std::string_view search_path);

/// How a program ended, and what it said on stdout and stderr (the first 64 KiB).
struct ProgramEnd {
  int exit_code = 0;  ///< 128 + signal where a signal ended it
  std::string output;
};

/// Runs PROGRAM with ARGUMENTS in `folder` and waits for it; after `timeout_us` it is killed.
/// Errors: io where it does not start, exhausted where it took too long.
Result<ProgramEnd> run_program(const std::string& program,
                               const std::vector<std::string>& arguments, const std::string& folder,
                               std::uint64_t timeout_us);

}  // namespace kvpsi
