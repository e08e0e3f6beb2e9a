// SPDX-License-Identifier: MIT
// What a host tells and asks of the sequences of its contexts, for hosts whose code is not ours:
// by context and sequence, nothing where that context is not governed. On the thread that decodes,
// no decode running. Next hops: kv_pool_host.cpp does it, server_responses.cpp calls.
#pragma once

#include <span>

#include "llama.h"
#include "llama/context_gap.h"
#include "llama/response_terms.h"

namespace kvpsi {

/// A response is made with this sequence from now on.
void begin_response(const llama_context* context, llama_seq_id seq, const ResponseTerms& terms);
/// It is over. Idle sequences are not trimmed: paged out they give as much.
void end_response(const llama_context* context, llama_seq_id seq);
/// What it had to do without until now.
ContextGap gap_of(const llama_context* context, llama_seq_id seq);

/// The sequence's tokens by position, for those that came from a saved state, which has none.
void know_tokens(const llama_context* context, llama_seq_id seq,
                 std::span<const llama_token> tokens);
/// The same for the sequence whose state was loaded last, if no decode was since.
void know_loaded_tokens(const llama_context* context, std::span<const llama_token> tokens);

}  // namespace kvpsi
