// SPDX-License-Identifier: MIT
// What leaves the cells of the synthetic engine, and how it comes back; see engine_model.h.
#include <algorithm>
#include <vector>

#include "policy/arith.h"
#include "sim/constants.h"
#include "sim/engine_model.h"

namespace kvpsi {

std::uint64_t EngineModel::droppable(const Sequence& sequence) const {
  if (spec_.trim == TrimRule::off) return 0;
  const std::uint64_t tokens = minus(sequence.live, spec_.keep_tokens + spec_.tail_tokens);
  return tokens >= kMachine.min_prune_tokens ? tokens : 0;
}

std::uint64_t EngineModel::trimmable_tokens() const {
  std::uint64_t tokens = 0;
  for (const Sequence& sequence : sequences_) tokens += droppable(sequence);
  const std::uint64_t floor =
      (spec_.kv_min_bytes + spec_.bytes_per_token - 1) / spec_.bytes_per_token;
  return std::min(tokens, minus(live_tokens_, floor));
}

std::uint64_t EngineModel::trim(std::uint64_t tokens, bool to_disk) {
  const std::uint64_t wanted = std::min(tokens, trimmable_tokens());
  std::uint64_t left = wanted;
  while (left > 0) {
    Sequence* longest = nullptr;
    for (Sequence& sequence : sequences_) {
      if (longest == nullptr || droppable(sequence) > droppable(*longest)) longest = &sequence;
    }
    const std::uint64_t taken = longest == nullptr ? 0 : std::min(left, droppable(*longest));
    if (taken == 0) break;
    longest->live -= taken;
    (to_disk ? longest->trimmed : longest->lost) += taken;
    left -= taken;
  }
  live_tokens_ -= wanted - left;
  tokens_trimmed_ += wanted - left;
  (to_disk ? trimmed_tokens_ : tokens_lost_) += wanted - left;
  return wanted - left;
}

/// Not one whose next turn waits for room: it would wait for its rows as well.
bool EngineModel::is_idle(const Sequence& sequence) const {
  return sequence.phase == Phase::idle && now_s_ >= sequence.used_s + kMachine.idle_s;
}

std::uint64_t EngineModel::spillable_tokens() const {
  std::uint64_t tokens = 0;
  for (const Sequence& sequence : sequences_) tokens += is_idle(sequence) ? sequence.live : 0;
  return tokens;
}

std::uint64_t EngineModel::spill(std::uint64_t tokens) {
  std::uint64_t left = tokens;
  while (left > 0) {
    Sequence* oldest = nullptr;
    for (Sequence& sequence : sequences_) {
      if (!is_idle(sequence) || sequence.live == 0) continue;
      if (oldest == nullptr || sequence.used_s < oldest->used_s) oldest = &sequence;
    }
    if (oldest == nullptr) break;
    const std::uint64_t taken = std::min(left, oldest->live);
    oldest->live -= taken;
    oldest->paged += taken;
    left -= taken;
  }
  live_tokens_ -= tokens - left;
  paged_tokens_ += tokens - left;
  return tokens - left;
}

/// Beside what the turns that run have still to write.
std::uint64_t EngineModel::free_cells() const {
  return minus(spec_.context_tokens, cells_live() + promised_tokens() + sequences_.size());
}

std::uint64_t EngineModel::restorable_tokens() const {
  return std::min(trimmed_tokens_, free_cells()) + paged_tokens_;
}

template <class Take>
std::uint64_t EngineModel::take_from_disk(std::uint64_t tokens, Take take) {
  std::vector<Sequence*> recent;
  for (Sequence& sequence : sequences_) recent.push_back(&sequence);
  std::ranges::stable_sort(recent, [](const Sequence* a, const Sequence* b) {
    const auto is_at_work = [](const Sequence& s) {
      return s.phase == Phase::prefill || s.phase == Phase::decode;
    };
    if (is_at_work(*a) != is_at_work(*b)) return is_at_work(*a);
    return a->used_s > b->used_s;
  });
  std::uint64_t left = tokens;
  for (Sequence* sequence : recent) {
    const std::uint64_t part = std::min({left, sequence->trimmed, free_cells()});
    sequence->trimmed -= part;
    trimmed_tokens_ -= part;
    left -= part;
    take(*sequence, part, true);
  }
  for (Sequence* sequence : recent) {
    const std::uint64_t part = std::min(left, sequence->paged);
    sequence->paged -= part;
    paged_tokens_ -= part;
    left -= part;
    take(*sequence, part, false);
  }
  return tokens - left;
}

EngineModel::Restored EngineModel::restore(std::uint64_t tokens) {
  Restored restored;
  restored.tokens =
      take_from_disk(tokens, [&](Sequence& sequence, std::uint64_t part, bool is_span) {
        fill(sequence, part);
        if (is_span) restored.of_spans += part;
      });
  return restored;
}

std::uint64_t EngineModel::lose(std::uint64_t tokens) {
  const std::uint64_t lost = take_from_disk(
      tokens, [](Sequence& sequence, std::uint64_t part, bool) { sequence.lost += part; });
  tokens_lost_ += lost;
  return lost;
}

/// The turn of a conversation begins: its rows are read while everybody waits. What a broken disk
/// does not give back is computed again, with the prompt.
void EngineModel::fault_in(Sequence& sequence) {
  const std::uint64_t tokens = sequence.paged;
  if (tokens == 0) return;
  sequence.paged = 0;
  paged_tokens_ -= tokens;
  if (disk_ == nullptr || disk_->is_broken()) {
    tokens_lost_ += tokens;
    sequence.to_prefill += tokens;
    return;
  }
  delay_s_ += disk_->read_s(tokens * spec_.bytes_per_token);
  tokens_faulted_ += tokens;
  fill(sequence, tokens);
}

}  // namespace kvpsi
