// SPDX-License-Identifier: MIT
// What to do when rows did not come back from the file: the cells still know their tokens, so the
// sequence is evaluated anew from the first lost position on; where a token is not known, or the
// cache has no room for all, lost positions leave the context and are reported by name. Inference
// thread, engine's mutex held, no decode running; the logits of the last decode are overwritten.
// Next hop: llama_decode.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "llama.h"
#include "llama/kv_spill.h"
#include "llama/token_account.h"

namespace kvpsi {

/// What became of one sequence.
struct Repair {
  llama_seq_id sequence = 0;
  TokenAccount account;  ///< to be added to the sequence's own
  std::string loss;      ///< one clause; empty: everything was evaluated anew
};

struct RepairOptions {
  /// A sliding-window cache has forgotten what lies before the lost position, so the whole sequence
  /// is evaluated.
  bool from_start = false;
  llama_seq_id ending = -1;  ///< nobody goes on with this one: evaluating it is not worth while
};

/// Takes as long as a prefill of what is evaluated.
std::vector<Repair> repair(llama_context* context, llama_memory_t memory,
                           const RepairOptions& options, const LostCells& lost, KvSpill& spill);

/// Evaluates these tokens of the sequence from position p0 on, in place of all that it has there.
/// False: the cache has no room for them, and nothing was changed; or a decode failed. `spill` may
/// be null; rows of the sequence that lie before p0 must be in memory. Takes as long as a prefill
/// of them.
bool evaluate_anew(llama_context* context, llama_memory_t memory, const llama_kv_cells& cells,
                   KvSpill* spill, llama_seq_id seq, llama_pos p0,
                   std::span<const llama_token> tokens);

}  // namespace kvpsi
