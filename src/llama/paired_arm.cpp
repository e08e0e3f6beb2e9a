// SPDX-License-Identifier: MIT
// See paired_arm.h.
#include "llama/paired_arm.h"

#include <llama.h>

#include <algorithm>

#include "base/prng.h"

namespace kvpsi {
namespace {

std::int32_t vocabulary_of(Engine& engine) {
  return llama_vocab_n_tokens(llama_model_get_vocab(engine.model()));
}

}  // namespace

std::vector<Token> make_token_ids(std::uint64_t seed, std::size_t count, Engine& engine) {
  Prng prng(seed);
  const auto vocabulary = static_cast<std::uint64_t>(vocabulary_of(engine));
  std::vector<Token> tokens(count);
  for (Token& token : tokens) token = static_cast<Token>(prng.below(vocabulary));
  return tokens;
}

Result<void> decode_next(PairedArm& arm, std::vector<Token>& tokens, std::uint32_t count,
                         std::uint32_t chunk) {
  const std::uint32_t end = arm.next_token + count;
  while (arm.next_token < end) {
    const std::uint32_t n = std::min(chunk, end - arm.next_token);
    const llama_batch batch =
        llama_batch_get_one(&tokens[arm.next_token], static_cast<std::int32_t>(n));
    if (llama_decode(arm.engine->context(), batch) != 0) {
      return fail(ErrorCode::io, "llama.cpp failed to decode a block");
    }
    arm.next_token += n;
  }
  return {};
}

std::vector<float> last_logits(PairedArm& arm) {
  const float* logits = llama_get_logits_ith(arm.engine->context(), -1);
  return {logits, logits + vocabulary_of(*arm.engine)};
}

}  // namespace kvpsi
