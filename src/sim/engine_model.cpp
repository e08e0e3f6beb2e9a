// SPDX-License-Identifier: MIT
// The work of the engine; see engine_model.h.
#include "sim/engine_model.h"

#include <algorithm>

#include "policy/arith.h"
#include "sim/constants.h"

namespace kvpsi {

EngineModel::EngineModel(const EngineSpec& spec, const std::vector<SequenceSpec>& workload)
    : spec_(spec) {
  sequences_.reserve(workload.size());
  for (const SequenceSpec& sequence : workload) {
    sequences_.push_back({.spec = sequence, .due_s = sequence.start_s});
  }
  prefilling_ = sequences_.size();
}

void EngineModel::advance(double t_s, double dt_s, double speed, SafePointListener& listener) {
  now_s_ = t_s;
  receive(t_s);
  double time_s = dt_s * speed;
  while (time_s > 0) {
    if (!is_busy_) {
      if (!begin_decode(t_s)) {
        if (waiting_bytes() > 0)
          listener.at_safe_point();  // work that waits stands between two decodes
        return;
      }
      listener.at_safe_point();  // requests that wait for a decode are served before it runs
    }
    const double waited_s = std::min(time_s / speed, delay_s_);
    delay_s_ -= waited_s;
    time_s -= waited_s * speed;
    const double used_s = std::min(time_s, left_s_);
    time_s -= used_s;
    left_s_ -= used_s;
    if (left_s_ > 0) return;
    end_decode(t_s);
    listener.at_safe_point();
    is_busy_ = begin_decode(t_s);
    if (!is_busy_) return;
  }
}

void EngineModel::receive(double t_s) {
  for (Sequence& sequence : sequences_) {
    const bool waits = sequence.phase == Phase::absent || sequence.phase == Phase::idle;
    const bool over = sequence.spec.turns != 0 && sequence.turns_begun >= sequence.spec.turns;
    if (waits && !over && t_s >= sequence.due_s) {
      sequence.phase = Phase::queued;
      sequence.to_prefill = sequence.spec.prompt_tokens;
    }
    if (sequence.phase == Phase::queued) admit(sequence);
  }
}

/// A prompt starts when it fits into the cells, and with its answer and those that run into the
/// budget. Alone it starts when the prompt fits: waiting would not make more room.
void EngineModel::admit(Sequence& sequence) {
  const std::uint64_t turn = sequence.spec.prompt_tokens + sequence.spec.answer_tokens;
  if (cells_live() + turn > cells()) drop(sequence);
  if (cells_live() + turn > cells()) return;
  const std::uint64_t promised = promised_tokens();
  const std::uint64_t wanted =
      sequence.paged + (promised == 0 ? sequence.spec.prompt_tokens : promised + turn);
  sequence.held_tokens = live_bytes() + wanted * spec_.bytes_per_token > budget_bytes_ ? wanted : 0;
  if (sequence.held_tokens > 0) return;
  sequence.phase = Phase::prefill;
  sequence.to_decode = sequence.spec.answer_tokens;
  ++sequence.turns_begun;
}

/// What the turns that run have still to write.
std::uint64_t EngineModel::promised_tokens() const {
  std::uint64_t tokens = 0;
  for (const Sequence& sequence : sequences_) {
    if (sequence.phase == Phase::prefill) tokens += sequence.to_prefill + sequence.to_decode;
    if (sequence.phase == Phase::decode) tokens += sequence.to_decode;
  }
  return tokens;
}

/// Where trimming is allowed it makes room below kv_max; the engine itself only ends at its cells.
std::uint64_t EngineModel::cells() const {
  if (spec_.trim != TrimRule::off) return spec_.context_tokens;
  return context_bytes() / spec_.bytes_per_token;
}

/// One decode call: a batch of one prompt, and one token for each answer that runs.
bool EngineModel::begin_decode(double t_s) {
  prefilling_ = sequences_.size();
  batch_tokens_ = 0;
  bool decodes = false;
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    Sequence& sequence = sequences_[i];
    decodes = decodes || sequence.phase == Phase::decode;
    if (sequence.phase != Phase::prefill || batch_tokens_ > 0) continue;
    const std::uint64_t wanted = std::min(kMachine.prefill_batch, sequence.to_prefill);
    const std::uint64_t left = minus(budget_bytes_, live_bytes()) / spec_.bytes_per_token;
    sequence.held_tokens = wanted > left ? wanted : 0;
    if (sequence.held_tokens > 0) continue;
    if (cells_live() + wanted + sequences_.size() >
        cells()) {  // as a server that answers "the context is full"
      end_turn(sequence, t_s);
      drop(sequence);
      continue;
    }
    fault_in(sequence);
    prefilling_ = i;
    batch_tokens_ = std::min(kMachine.prefill_batch, sequence.to_prefill);
  }
  if (batch_tokens_ == 0 && !decodes) return is_busy_ = false;
  walk_s_ = static_cast<double>(batch_tokens_) / spec_.prefill_tokens_per_s +
            (decodes ? 1 / spec_.tokens_per_s : 0);
  left_s_ = walk_s_;
  return is_busy_ = true;
}

void EngineModel::end_decode(double t_s) {
  for (Sequence& sequence : sequences_) {
    if (sequence.phase != Phase::decode) continue;
    if (cells_live() >= cells()) {  // the context is full: the answer ends here
      end_turn(sequence, t_s);
      continue;
    }
    fill(sequence, 1);
    ++tokens_decoded_;
    --sequence.to_decode;
    if (sequence.to_decode == 0) end_turn(sequence, t_s);
  }
  if (batch_tokens_ > 0) {
    Sequence& sequence = sequences_[prefilling_];
    fill(sequence, batch_tokens_);
    tokens_prefilled_ += batch_tokens_;
    sequence.to_prefill -= batch_tokens_;
    if (sequence.to_prefill == 0) sequence.phase = Phase::decode;
    if (sequence.to_prefill == 0 && sequence.to_decode == 0) end_turn(sequence, t_s);
  }
  const std::uint64_t scratch = batch_tokens_ > 0
                                    ? std::max(spec_.prefill_scratch_bytes, spec_.scratch_bytes)
                                    : spec_.scratch_bytes;
  scratch_resident_bytes_ = std::max(scratch_resident_bytes_, scratch);
  is_busy_ = false;
}

void EngineModel::end_turn(Sequence& sequence, double t_s) {
  ++turns_ended_;
  sequence.phase = Phase::idle;
  sequence.held_tokens = 0;
  sequence.used_s = t_s;
  sequence.due_s = t_s + sequence.spec.pause_s;
  if (sequence.spec.forgets) drop(sequence);
}

void EngineModel::drop(Sequence& sequence) {
  live_tokens_ -= sequence.live;
  paged_tokens_ -= sequence.paged;
  trimmed_tokens_ -= sequence.trimmed;
  sequence.live = sequence.paged = sequence.trimmed = sequence.lost = 0;
}

void EngineModel::fill(Sequence& sequence, std::uint64_t tokens) {
  sequence.live += tokens;
  live_tokens_ += tokens;
  kv_resident_bytes_ = std::max(kv_resident_bytes_, live_bytes());
}

std::uint64_t EngineModel::waiting_bytes() const {
  std::uint64_t least = 0;
  for (const Sequence& sequence : sequences_) {
    if (sequence.held_tokens > 0 && (least == 0 || sequence.held_tokens < least)) {
      least = sequence.held_tokens;
    }
  }
  return least * spec_.bytes_per_token;
}

std::uint64_t EngineModel::release_kv(std::uint64_t most) {
  const std::uint64_t bytes = std::min(most, minus(kv_resident_bytes_, live_bytes()));
  kv_resident_bytes_ -= bytes;
  return bytes;
}

std::uint64_t EngineModel::release_scratch() {
  const std::uint64_t bytes = scratch_resident_bytes_;
  scratch_resident_bytes_ = 0;
  return bytes;
}

std::uint64_t EngineModel::full_bytes() const {
  std::uint64_t tokens = 0;
  for (const Sequence& sequence : sequences_) {
    tokens += sequence.live + sequence.paged + sequence.trimmed + sequence.lost;
    if (sequence.held_tokens > 0) tokens += sequence.to_prefill;
  }
  return std::min(tokens * spec_.bytes_per_token, context_bytes());
}

std::uint64_t EngineModel::context_bytes() const {
  const std::uint64_t all = spec_.context_bytes();
  return spec_.kv_max_bytes == 0 ? all : std::min(all, spec_.kv_max_bytes);
}

EngineMemory EngineModel::memory() const {
  EngineMemory memory;
  std::uint64_t hot_tokens = 0;
  for (const Sequence& sequence : sequences_) {
    const bool works = sequence.phase == Phase::prefill || sequence.phase == Phase::decode;
    if (works) hot_tokens += sequence.live;
  }
  const std::uint64_t hot_kv = hot_tokens * spec_.bytes_per_token;
  memory.hot_anon_bytes = spec_.base_bytes + hot_kv + scratch_resident_bytes_ +
                          (spec_.is_repacked ? spec_.weights_bytes : 0);
  memory.cold_anon_bytes = kv_resident_bytes_ - hot_kv;
  memory.is_busy = is_busy_;
  memory.is_waiting = delay_s_ > 0;
  memory.walk_s = walk_s_;
  return memory;
}

}  // namespace kvpsi
