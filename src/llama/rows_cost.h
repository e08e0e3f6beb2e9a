// SPDX-License-Identifier: MIT
// What it costs to have rows of the KV cache on disk instead of computing them anew, and what a
// trim is worth for the tokens after it, with its holes and without. All within one process and in
// neighbouring blocks, so that the machine's mood cancels out. Must not print. Next hop:
// cli/cmd_bench_rows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "govern/ports.h"

namespace kvpsi {

struct RowsCostOptions {
  std::string model;
  SpillStore* spill = nullptr;  ///< not null; outlives the call
  std::uint32_t threads = 1;
  std::uint32_t tokens = 2000;     ///< of the conversation
  std::uint32_t keep = 64;         ///< what the trim leaves at the front
  std::uint32_t tail = 576;        ///< and at the end
  std::uint32_t rounds = 5;        ///< of leaving memory and coming back
  std::uint32_t pairs = 60;        ///< of blocks decoded
  std::uint32_t block_tokens = 8;  ///< decoded by each arm in a pair
  std::uint64_t seed = 1;
  std::function<void(std::uint32_t, std::uint32_t)> on_progress;  ///< steps done, of how many
};

/// All rows of a conversation leave memory, then its next token is decoded. Wall time,
/// microseconds.
struct RestoreRound {
  std::uint64_t prefill_us = 0;          ///< evaluating all its tokens
  std::uint64_t token_us = 0;            ///< one more token, the rows being in memory
  std::uint64_t spill_us = 0;            ///< writing the rows and releasing their pages
  std::uint64_t token_from_disk_us = 0;  ///< the same token, reading the rows back included
  std::uint64_t spilled_bytes = 0;
  bool logits_equal = false;  ///< of that token, bit for bit
};

/// Neighbouring blocks of the same number of tokens, microseconds. All contexts hold as many
/// tokens.
struct TrimmedBlocks {
  std::uint64_t fresh_us = 0;   ///< never held more
  std::uint64_t holes_us = 0;   ///< the trimmed cells lie free between the others
  std::uint64_t packed_us = 0;  ///< trimmed and compacted
};

struct RowsCost {
  std::vector<RestoreRound> rounds;
  std::vector<TrimmedBlocks> blocks;
  std::uint64_t tokens_left = 0;  ///< by the trim
};

/// Half a minute and 16 s a round with a small model. Errors: those of Engine::load and
/// GovernedContext::attach; invalid_argument (a trim that leaves all); io (a decode fails, or rows
/// do not leave or return). Sets elastic on for the rest of the process.
Result<RowsCost> measure_rows_cost(const RowsCostOptions& options);

}  // namespace kvpsi
