// SPDX-License-Identifier: MIT
// One side of a comparison within a process: a context that is fed token ids, block by block, and
// how far it has come. Must not print. Next hops: at_rest.h and rows_cost.h, what is compared.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "llama/engine.h"

namespace kvpsi {

struct PairedArm {
  std::unique_ptr<Engine> engine;
  std::uint32_t next_token = 0;  ///< into the list of tokens
};

/// Plain English does not matter in a comparison of speeds, equal work does: the ids follow from
/// the seed. Needs a loaded model for the size of its vocabulary.
std::vector<Token> make_token_ids(std::uint64_t seed, std::size_t count, Engine& engine);

/// Decodes the arm's next `count` tokens in batches of `chunk`. Errors: io.
Result<void> decode_next(PairedArm& arm, std::vector<Token>& tokens, std::uint32_t count,
                         std::uint32_t chunk);

/// Logits of the token decoded last, a copy.
std::vector<float> last_logits(PairedArm& arm);

}  // namespace kvpsi
