// SPDX-License-Identifier: MIT
// The folder that a benchmark writes into. Next hop: bench.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "bench/engine_flags.h"

namespace kvpsi {

/// Makes the folder and its parents, and removes from it what an earlier benchmark wrote a run
/// (journal-*, run-*, neighbour-*, phases-*), so that no record refers to another's file. Other
/// files stay; results.json, table.txt and plots are replaced when there is something to replace
/// them with. Errors: permission or io, where nothing can be written.
Result<void> prepare_out_dir(const std::string& path);

/// Writes a prompt of at least `tokens` tokens to `path`. Errors: io.
Result<void> write_prompt(const std::string& path, std::uint64_t seed, std::uint64_t tokens);

/// Writes what `spec` has the engine read: its prompt file, or with several tenants its prompts
/// file. Errors: io.
Result<void> write_prompts(const RunSpec& spec);

}  // namespace kvpsi
