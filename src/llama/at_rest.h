// SPDX-License-Identifier: MIT
// What governing costs while nobody is short of memory. Two contexts of one process decode the same
// tokens, block by block and in random order: one as stock llama.cpp has it, one elastic and under
// a running governor. Neighbouring blocks share the machine's mood, so their ratio is worth more
// than any number of separate runs. Must not print. Next hop: cli/cmd_bench_at_rest.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace kvpsi {

struct AtRestOptions {
  std::string model;
  std::uint32_t n_ctx = 8192;
  std::uint32_t threads = 1;
  std::uint32_t prompt_tokens = 256;  ///< context both arms start with
  std::uint32_t pairs = 300;
  std::uint32_t block_tokens = 8;  ///< tokens decoded by each arm in a pair
  std::uint64_t seed = 1;
  std::function<void(std::uint32_t, std::uint32_t)> on_progress;  ///< pairs done, of how many
};

/// One pair of blocks: wall time and CPU time of the whole process, microseconds. Starting and
/// stopping the governor's thread counts against the governed arm.
struct AtRestPair {
  std::uint64_t stock_us = 0;
  std::uint64_t governed_us = 0;
  std::uint64_t stock_cpu_us = 0;
  std::uint64_t governed_cpu_us = 0;
};

struct AtRestResult {
  std::vector<AtRestPair> pairs;
  bool logits_equal = true;          ///< both arms gave bit-equal logits after every block
  std::uint64_t idle_wall_us = 0;    ///< the governor alone, nothing decoding
  std::uint64_t idle_cpu_us = 0;     ///< its CPU time in that span
  std::uint64_t governor_bytes = 0;  ///< anonymous memory that starting it added
};

/// Runs the comparison; about 0.4 s a pair with a small model. Errors: those of Engine::load and
/// GovernedContext::attach; io when a decode fails. Sets elastic on for the rest of the process.
Result<AtRestResult> measure_at_rest(const AtRestOptions& options);

}  // namespace kvpsi
