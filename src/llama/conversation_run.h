// SPDX-License-Identifier: MIT
// The loop that holds conversations, as many at once as there are sequences. Each that gets a seat
// is prefilled, in the order asked; then those with something to say decode together, a batch a
// step. Who has ended leaves its seat to the next. When nobody decodes any more, the second turns
// follow one by one. A generation is one conversation with one seat. Next hops: sequence_decoder
// (a batch), sampler, text_stream.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "llama/sampler.h"
#include "llama/sequence_decoder.h"
#include "llama/text_stream.h"

namespace kvpsi {

/// One call of Engine::converse(). Inference thread.
class ConversationRun {
 public:
  /// All outlive it. `sequence_limit`: tokens that one of several sequences may have.
  ConversationRun(llama_context* context, const GenerateOptions& options, GovernedContext* governed,
                  const std::atomic<bool>& stop, std::uint32_t sequence_limit);

  /// Once. Errors: io.
  Result<Conversations> run(std::span<const Conversation> asked);

 private:
  /// One conversation on its way.
  struct Speaker {
    const Conversation* asked = nullptr;
    ConversationOutcome* out = nullptr;
    Generation* turn = nullptr;  ///< the one it is at
    std::uint32_t wanted = 0;    ///< tokens of that turn
    llama_seq_id sequence = -1;  ///< < 0: no seat
    llama_pos position = 0;      ///< tokens evaluated
    TokenAccount booked;         ///< of those who had the seat before
    Token next = 0;              ///< not evaluated yet: sampled, or held back from the prompt
    bool is_prefilled = false;
    SamplerPtr sampler;
    TextStream stream{{}};
  };

  Result<void> hold_first_turns();
  Result<void> hold_second_turns();
  Result<void> admit_waiting();
  Result<void> prefill(Speaker& speaker);
  Result<std::optional<StopReason>> evaluate_prompt(Speaker& speaker, std::size_t count);
  void begin_decoding();
  /// Takes the tokens that are there and evaluates them: the next ones are there.
  Result<void> step();
  Result<void> evaluate(std::vector<Speaker*> part);
  std::optional<StopReason> take_next(Speaker& speaker);
  std::optional<StopReason> asked_to_end() const;
  void end_turn(Speaker& speaker, StopReason reason);
  void leave(Speaker& speaker);
  void account_for(Speaker& speaker);
  void show(Speaker& speaker, const std::string& text);
  void report_progress() const;

  llama_context* context_;
  const llama_vocab* vocab_;
  const GenerateOptions& options_;
  const std::atomic<bool>& stop_;
  const std::uint32_t sequence_limit_;
  SequenceDecoder decoder_;
  Conversations out_;
  std::vector<Speaker> speakers_;     ///< all, in the order asked
  std::vector<Speaker*> speaking_;    ///< those that decode, in that order
  std::vector<bool> seats_;           ///< taken, by sequence
  std::size_t waiting_ = 0;           ///< the first that had no seat yet
  std::uint64_t clock_start_us_ = 0;  ///< of time_max_s; 0: no decoding yet
};

}  // namespace kvpsi
