// SPDX-License-Identifier: MIT
// See sequence_decoder.h.
#include "llama/sequence_decoder.h"

#include <fmt/core.h>

#include <string>

#include "llama/elastic.h"
#include "llama/engine_log.h"
#include "llama/sequence_cells.h"

namespace kvpsi {
namespace {

bool is_stop_asked(void* user) {
  return static_cast<const std::atomic<bool>*>(user)->load(std::memory_order_relaxed);
}

}  // namespace

SequenceDecoder::SequenceDecoder(llama_context* context, GovernedContext* governed,
                                 const std::atomic<bool>& stop)
    : context_(context),
      governed_(governed),
      stop_(stop),
      batch_(llama_batch_init(static_cast<std::int32_t>(llama_n_batch(context)), 0, 1)) {
  llama_set_abort_callback(context_, is_stop_asked, const_cast<std::atomic<bool>*>(&stop_));
}

SequenceDecoder::~SequenceDecoder() {
  llama_set_abort_callback(context_, nullptr, nullptr);
  llama_batch_free(batch_);
}

std::uint32_t SequenceDecoder::capacity() const { return llama_n_batch(context_); }

void SequenceDecoder::add(const PlacedToken& placed, bool wants_logits) {
  const auto at = batch_.n_tokens++;
  batch_.token[at] = placed.token;
  batch_.pos[at] = placed.position;
  batch_.n_seq_id[at] = 1;
  batch_.seq_id[at][0] = placed.sequence;
  batch_.logits[at] = wants_logits ? 1 : 0;
}

std::optional<StopReason> SequenceDecoder::find_room(std::uint32_t count) {
  if (governed_ == nullptr || governed_->kv_cells_left() >= count) return std::nullopt;
  governed_->make_room(count);
  if (governed_->kv_cells_left() >= count) return std::nullopt;
  std::uint64_t live = 0;
  for (std::uint32_t i = 0; i < llama_n_seq_max(context_); ++i) {
    live += governed_->sequence_tokens(static_cast<llama_seq_id>(i));
  }
  return live + count > llama_n_ctx(context_) ? StopReason::context_full : StopReason::kv_max;
}

Result<std::optional<StopReason>> SequenceDecoder::evaluate() {
  if (const auto no_room = find_room(static_cast<std::uint32_t>(batch_.n_tokens))) return no_room;
  const std::int32_t code = llama_decode(context_, batch_);
  if (code == 0) return std::nullopt;
  if (code == 1) return StopReason::context_full;
  // Evaluating lost tokens anew may have been cut short before: then nothing follows them.
  if (stop_.load(std::memory_order_relaxed)) return StopReason::interrupted;
  const std::string words = take_llama_error();
  return fail(ErrorCode::io, fmt::format("llama.cpp failed to decode (code {}){}{}", code,
                                         words.empty() ? "" : ": ", words));
}

std::uint64_t SequenceDecoder::count_tokens(llama_seq_id sequence) {
  if (governed_ != nullptr) return governed_->sequence_tokens(sequence);
  return count_sequence_cells(llama_get_memory(context_), sequence);
}

TokenAccount SequenceDecoder::account(llama_seq_id sequence) {
  return governed_ != nullptr ? governed_->sequence_account(sequence) : TokenAccount{};
}

SequenceBooks SequenceDecoder::settle(llama_seq_id sequence) {
  if (governed_ != nullptr) return governed_->settle(sequence);
  return {.account = {}, .live_tokens = count_tokens(sequence)};
}

void SequenceDecoder::remove(llama_seq_id sequence) {
  llama_memory_seq_rm(llama_get_memory(context_), sequence, -1, -1);
}

}  // namespace kvpsi
