// SPDX-License-Identifier: MIT
// See host_sequences.h.
#include "llama/host_sequences.h"

#include <mutex>

#include "llama/attached.h"
#include "llama/governed_state.h"

namespace kvpsi {
namespace {

/// Calls use(KvPool&) with the engine's mutex held.
template <class Use>
void with_kv(const llama_context* context, Use use) {
  GovernedState* const state = find_attached(context);
  if (state == nullptr || state->kv() == nullptr) return;
  const std::lock_guard lock(state->engine());
  use(*state->kv());
}

}  // namespace

void begin_response(const llama_context* context, llama_seq_id seq, const ResponseTerms& terms) {
  with_kv(context, [&](KvPool& kv) { kv.begin_response(seq, terms); });
}

void end_response(const llama_context* context, llama_seq_id seq) {
  with_kv(context, [seq](KvPool& kv) { kv.end_response(seq); });
}

ContextGap gap_of(const llama_context* context, llama_seq_id seq) {
  ContextGap gap;
  with_kv(context, [&](KvPool& kv) { gap = kv.gap(seq); });
  return gap;
}

void know_tokens(const llama_context* context, llama_seq_id seq,
                 std::span<const llama_token> tokens) {
  with_kv(context, [&](KvPool& kv) { kv.know_tokens(seq, tokens); });
}

void know_loaded_tokens(const llama_context* context, std::span<const llama_token> tokens) {
  with_kv(context, [&](KvPool& kv) { kv.know_loaded(tokens); });
}

}  // namespace kvpsi
