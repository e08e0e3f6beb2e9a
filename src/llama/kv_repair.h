// SPDX-License-Identifier: MIT
// What to do when rows did not come back from the file: the cells still know their tokens, so the
// sequence is evaluated anew from the first lost position on; where a token is not known, its
// position leaves the context and is reported by name. Inference thread, engine's mutex held, no
// decode running; the logits of the last decode are overwritten. Next hop: llama_decode.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llama.h"
#include "llama/kv_spill.h"

namespace kvpsi {

struct Repair {
  std::uint64_t tokens_reevaluated = 0;
  std::uint64_t tokens_lost = 0;
  std::vector<std::string> losses;  ///< one clause for each sequence that lost something
};

/// `from_start`: a sliding-window cache has forgotten what lies before the lost position, so the
/// whole sequence is evaluated. Takes as long as a prefill of what is evaluated.
Repair repair(llama_context* context, llama_memory_t memory, bool from_start, const LostCells& lost,
              KvSpill& spill);

}  // namespace kvpsi
