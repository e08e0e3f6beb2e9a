// SPDX-License-Identifier: MIT
// Tokens of several sequences through llama_decode, one batch at a time. Asks for room first; the
// wraps around llama_decode do the rest. Knows no conversation. Next hop: conversation_run.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "llama.h"
#include "llama/generation.h"
#include "llama/token_account.h"

namespace kvpsi {

class GovernedContext;

/// One token at its place.
struct PlacedToken {
  Token token = 0;
  llama_pos position = 0;
  llama_seq_id sequence = 0;
};

/// Inference thread. While it lives, `stop` ends a decode that runs.
class SequenceDecoder {
 public:
  /// All outlive it; `governed` may be null.
  SequenceDecoder(llama_context* context, GovernedContext* governed, const std::atomic<bool>& stop);
  ~SequenceDecoder();
  SequenceDecoder(const SequenceDecoder&) = delete;
  SequenceDecoder& operator=(const SequenceDecoder&) = delete;

  /// Tokens a batch takes.
  std::uint32_t capacity() const;

  void clear() { batch_.n_tokens = 0; }

  /// Puts a token into the batch; `wants_logits`: something is to be sampled after it.
  void add(const PlacedToken& placed, bool wants_logits);

  /// Evaluates the batch. Empty: done. Otherwise why it could not be: context_full, kv_max, or
  /// interrupted; nothing of the batch is in the cache then, bar after interrupted. Errors: io.
  Result<std::optional<StopReason>> evaluate();

  /// Live cells of the sequence.
  std::uint64_t count_tokens(llama_seq_id sequence);

  /// What became of the sequence's tokens since the context is governed.
  TokenAccount account(llama_seq_id sequence);

  /// The sequence goes on no more: what it has and what became of the rest.
  SequenceBooks settle(llama_seq_id sequence);

  /// Takes the sequence out of the cache.
  void remove(llama_seq_id sequence);

 private:
  std::optional<StopReason> find_room(std::uint32_t count);

  llama_context* context_;
  GovernedContext* governed_;
  const std::atomic<bool>& stop_;
  llama_batch batch_;
};

}  // namespace kvpsi
