// SPDX-License-Identifier: MIT
// See conversation_run.h.
#include "llama/conversation_run.h"

#include <algorithm>

#include "base/clock.h"

namespace kvpsi {

ConversationRun::ConversationRun(llama_context* context, const GenerateOptions& options,
                                 GovernedContext* governed, const std::atomic<bool>& stop,
                                 std::uint32_t sequence_limit)
    : context_(context),
      vocab_(llama_model_get_vocab(llama_get_model(context))),
      options_(options),
      stop_(stop),
      sequence_limit_(sequence_limit),
      decoder_(context, governed, stop),
      seats_(llama_n_seq_max(context)) {}

void ConversationRun::show(Speaker& speaker, const std::string& text) {
  if (text.empty()) return;
  speaker.turn->text += text;
  if (options_.on_text) options_.on_text(text);
}

void ConversationRun::report_progress() const {
  if (!options_.on_progress) return;
  std::uint32_t prefilled = 0;
  std::uint32_t decoded = 0;
  for (const ConversationOutcome& one : out_.each) {
    prefilled += one.first.prefilled;
    decoded += one.first.decoded + (one.second ? one.second->decoded : 0);
  }
  options_.on_progress(prefilled, decoded);
}

std::optional<StopReason> ConversationRun::asked_to_end() const {
  if (stop_.load(std::memory_order_relaxed)) return StopReason::interrupted;
  if (options_.time_max_s <= 0 || clock_start_us_ == 0) return std::nullopt;
  const auto elapsed_us = static_cast<double>(monotonic_us() - clock_start_us_);
  if (elapsed_us >= options_.time_max_s * 1e6) return StopReason::time;
  return std::nullopt;
}

void ConversationRun::account_for(Speaker& speaker) {
  const SequenceBooks books = decoder_.settle(speaker.sequence);
  speaker.out->account = books.account;
  speaker.out->account -= speaker.booked;
  speaker.out->live_tokens = books.live_tokens;
  const auto evaluated = static_cast<std::uint64_t>(speaker.position);
  speaker.out->missing_tokens = evaluated - std::min(evaluated, speaker.out->live_tokens);
}

/// The cells of one that was alone stay, to be measured.
void ConversationRun::leave(Speaker& speaker) {
  account_for(speaker);
  speaker.sampler.reset();
  if (speakers_.size() == 1) return;
  decoder_.remove(speaker.sequence);
  seats_[static_cast<std::size_t>(speaker.sequence)] = false;
  speaker.sequence = -1;
}

void ConversationRun::end_turn(Speaker& speaker, StopReason reason) {
  Generation& turn = *speaker.turn;
  turn.stop_reason = reason;
  if (turn.decode_start_us != 0) turn.decode_end_us = monotonic_us();
  show(speaker, speaker.stream.finish());
  std::erase(speaking_, &speaker);
  const bool is_last = speaker.asked->then == 0 || speaker.turn != &speaker.out->first;
  if (!is_last && speaker.is_prefilled) return;
  leave(speaker);
  if (!options_.on_conversation_end) return;
  options_.on_conversation_end(static_cast<std::size_t>(&speaker - speakers_.data()), *speaker.out);
}

Result<std::optional<StopReason>> ConversationRun::evaluate_prompt(Speaker& speaker,
                                                                   std::size_t count) {
  const std::size_t chunk = decoder_.capacity();
  for (std::size_t at = 0; at < count; at += chunk) {
    if (const auto ended = asked_to_end()) return ended;
    const std::size_t end = std::min(at + chunk, count);
    decoder_.clear();
    for (std::size_t i = at; i < end; ++i) {
      decoder_.add({speaker.asked->prompt[i], static_cast<llama_pos>(i), speaker.sequence},
                   i + 1 == end);
    }
    const auto ended = decoder_.evaluate();
    if (!ended || *ended) return ended;
    speaker.position = static_cast<llama_pos>(end);
    speaker.out->first.prefilled = static_cast<std::uint32_t>(end);
    report_progress();
  }
  llama_synchronize(context_);
  return std::nullopt;
}

/// One that only waits keeps the last token of its prompt: what comes after it is not known yet.
Result<void> ConversationRun::prefill(Speaker& speaker) {
  Generation& turn = speaker.out->first;
  const Conversation& asked = *speaker.asked;
  const bool holds_back = asked.predict == 0 && asked.then > 0;
  speaker.sampler = make_sampler(vocab_, options_);
  speaker.stream = TextStream(options_.stops);
  turn.token_t_us.reserve(std::min(asked.predict, llama_n_ctx(context_)));
  turn.tokens.reserve(turn.token_t_us.capacity());
  const std::uint64_t cpu_start_us = process_cpu_us();
  turn.prefill_start_us = monotonic_us();
  const auto ended = evaluate_prompt(speaker, asked.prompt.size() - (holds_back ? 1 : 0));
  turn.prefill_cpu_us = process_cpu_us() - cpu_start_us;
  out_.whole.prefill_cpu_us += turn.prefill_cpu_us;
  if (!ended) return std::unexpected(ended.error());
  if (*ended) {
    end_turn(speaker, **ended);
    return {};
  }
  speaker.is_prefilled = true;
  if (asked.predict > 0) {
    speaker.next = llama_sampler_sample(speaker.sampler.get(), context_, -1);
    speaking_.push_back(&speaker);
  } else if (holds_back) {
    speaker.next = asked.prompt.back();
  }
  return {};
}

Result<void> ConversationRun::admit_waiting() {
  while (waiting_ < speakers_.size()) {
    const auto seat = std::ranges::find(seats_, false);
    if (seat == seats_.end()) break;
    *seat = true;
    Speaker& speaker = speakers_[waiting_++];
    speaker.sequence = static_cast<llama_seq_id>(seat - seats_.begin());
    speaker.booked = decoder_.account(speaker.sequence);
    if (const auto done = prefill(speaker); !done) return done;
  }
  return {};
}

std::optional<StopReason> ConversationRun::take_next(Speaker& speaker) {
  if (llama_vocab_is_eog(vocab_, speaker.next)) return StopReason::eos;
  Generation& turn = *speaker.turn;
  turn.token_t_us.push_back(monotonic_us());
  turn.tokens.push_back(speaker.next);
  ++turn.decoded;
  show(speaker, speaker.stream.push(token_text(vocab_, speaker.next)));
  report_progress();
  if (speaker.stream.stopped()) return StopReason::stop;
  if (turn.decoded >= speaker.wanted) return StopReason::length;
  return std::nullopt;
}

void ConversationRun::begin_decoding() {
  const std::uint64_t now_us = monotonic_us();
  for (Speaker* speaker : speaking_) {
    if (speaker->turn->decode_start_us == 0) speaker->turn->decode_start_us = now_us;
  }
  if (clock_start_us_ != 0) return;
  clock_start_us_ = out_.whole.decode_start_us = now_us;
  if (options_.on_decode_start) options_.on_decode_start();
}

/// Where there is no room for all, the last in the order asked ends: what it leaves may do for the
/// others.
Result<void> ConversationRun::evaluate(std::vector<Speaker*> part) {
  if (seats_.size() > 1) {
    std::erase_if(part, [this](Speaker* speaker) {
      const bool is_full = decoder_.count_tokens(speaker->sequence) >= sequence_limit_;
      if (is_full) end_turn(*speaker, StopReason::context_full);
      return is_full;
    });
  }
  while (!part.empty()) {
    decoder_.clear();
    for (const Speaker* s : part) decoder_.add({s->next, s->position, s->sequence}, true);
    const auto ended = decoder_.evaluate();
    if (!ended) return std::unexpected(ended.error());
    if (!*ended) break;
    end_turn(*part.back(), **ended);
    part.pop_back();
    if (**ended != StopReason::interrupted) continue;
    for (Speaker* speaker : part) end_turn(*speaker, StopReason::interrupted);
    return {};
  }
  std::int32_t at = 0;
  for (Speaker* speaker : part) {
    ++speaker->position;
    speaker->next = llama_sampler_sample(speaker->sampler.get(), context_, at++);
  }
  return {};
}

Result<void> ConversationRun::step() {
  begin_decoding();
  const auto all = speaking_;  // who ends is taken out of speaking_
  const auto asked = asked_to_end();
  for (Speaker* speaker : all) {
    const auto ended = asked ? asked : take_next(*speaker);
    if (ended) end_turn(*speaker, *ended);
  }
  const auto still = speaking_;
  const auto size = static_cast<std::ptrdiff_t>(decoder_.capacity());
  for (auto from = still.begin(); from != still.end();) {
    const auto to = from + std::min(size, still.end() - from);
    if (const auto done = evaluate({from, to}); !done) return done;
    from = to;
  }
  return {};
}

Result<void> ConversationRun::hold_first_turns() {
  while (true) {
    if (const auto done = admit_waiting(); !done) return done;
    if (speaking_.empty()) return {};
    if (const auto done = step(); !done) return done;
  }
}

Result<void> ConversationRun::hold_second_turns() {
  for (Speaker& speaker : speakers_) {
    if (speaker.asked->then == 0) continue;
    Generation& turn = speaker.out->second.emplace();
    if (speaker.sequence < 0 || !speaker.is_prefilled) {
      turn.stop_reason = speaker.out->first.stop_reason;
      continue;
    }
    speaker.turn = &turn;
    speaker.wanted = speaker.asked->then;
    speaker.stream = TextStream(options_.stops);
    turn.decode_start_us = monotonic_us();
    if (clock_start_us_ == 0) clock_start_us_ = turn.decode_start_us;
    speaking_ = {&speaker};
    if (const auto ended = asked_to_end()) {
      end_turn(speaker, *ended);
    } else if (const auto done = evaluate({&speaker}); !done) {
      return done;
    }
    while (!speaking_.empty()) {
      if (const auto done = step(); !done) return done;
    }
  }
  return {};
}

Result<Conversations> ConversationRun::run(std::span<const Conversation> asked) {
  out_.each.resize(asked.size());
  speakers_.resize(asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    out_.each[i].idle = asked[i].predict == 0;
    Generation& first = out_.each[i].first;
    first.prompt_tokens = static_cast<std::uint32_t>(asked[i].prompt.size());
    Speaker& speaker = speakers_[i];
    speaker.asked = &asked[i];
    speaker.out = &out_.each[i];
    speaker.turn = &first;
    speaker.wanted = asked[i].predict;
  }
  const std::uint64_t cpu_start_us = process_cpu_us();
  out_.whole.prefill_start_us = monotonic_us();
  report_progress();
  auto done = hold_first_turns();
  if (out_.whole.decode_start_us != 0) {
    out_.whole.decode_end_us = monotonic_us();
    out_.whole.decode_cpu_us = process_cpu_us() - cpu_start_us - out_.whole.prefill_cpu_us;
  }
  if (done) {
    if (options_.on_first_turns_over) options_.on_first_turns_over();
    clock_start_us_ = 0;
    done = hold_second_turns();
    if (options_.on_turns_over) options_.on_turns_over();
  }
  if (!done) {
    for (Speaker* speaker : speaking_) show(*speaker, speaker->stream.finish());
    return std::unexpected(done.error());
  }
  for (Speaker& speaker : speakers_) {
    if (speaker.sequence >= 0) account_for(speaker);
  }
  sum_first_turns(out_);
  return std::move(out_);
}

}  // namespace kvpsi
