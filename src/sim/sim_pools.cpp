// SPDX-License-Identifier: MIT
// Requests and safe points; see sim_pools.h.
#include "sim/sim_pools.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include "policy/arith.h"
#include "sim/constants.h"

namespace kvpsi {

Outcome SimPool::answer(const Action& action, Status status, std::int64_t error) const {
  Outcome outcome;
  outcome.decision_id = action.decision_id;
  outcome.verb = action.verb;
  outcome.pool = action.pool;
  outcome.status = status;
  outcome.t_us = now_us_;
  outcome.errno_value = error;
  return outcome;
}

Outcome SimPool::run(const Action& action, const Outcome& so_far, std::uint64_t budget_us) {
  Outcome outcome = answer(action, Status::nothing);
  perform(action, so_far, budget_us, outcome);
  bytes_released_ += outcome.bytes_released;
  return outcome;
}

Outcome SimPool::apply(const Action& action) {
  if (!knows(action.verb)) {
    const bool forbidden = action.verb == Verb::trim && kind_ == PoolKind::kv;
    return answer(action, Status::failed, forbidden ? EPERM : ENOTSUP);
  }
  if (engine_.is_busy()) {
    if (!requests_.push_back({action, answer(action, Status::nothing)})) {
      return answer(action, Status::failed, EAGAIN);
    }
    return answer(action, Status::queued);
  }
  const std::uint64_t budget_us = action.budget_us == 0
                                      ? kMachine.safe_point_us
                                      : std::min(action.budget_us, kMachine.safe_point_us);
  return run(action, answer(action, Status::nothing), budget_us);
}

/// A restore ends when memory is asked for behind it.
bool SimPool::is_overruled(const Request& request) const {
  if (request.action.verb != Verb::restore) return false;
  return std::ranges::any_of(requests_, [&](const Request& other) {
    return other.action.decision_id > request.action.decision_id &&
           (other.action.verb == Verb::spill || other.action.verb == Verb::trim);
  });
}

void SimPool::serve() {
  if (requests_.empty()) return;
  std::uint64_t left_us = kMachine.safe_point_us;
  FixedVector<Request, 8> rest;
  for (Request& request : requests_) {
    if (left_us == 0 || ended_.full()) {
      rest.push_back(request);
      continue;
    }
    const Outcome part = is_overruled(request) ? answer(request.action, Status::nothing)
                                               : run(request.action, request.so_far, left_us);
    left_us = minus(left_us, part.duration_us);
    Outcome& sum = request.so_far;
    sum.t_us = part.t_us;
    sum.status = part.status;
    sum.duration_us += part.duration_us;
    sum.bytes_released += part.bytes_released;
    sum.tokens_trimmed += part.tokens_trimmed;
    sum.bytes_spilled += part.bytes_spilled;
    sum.bytes_restored += part.bytes_restored;
    sum.tokens_restored += part.tokens_restored;
    sum.tokens_lost += part.tokens_lost;
    sum.errno_value = part.errno_value;
    if (sum.status == Status::more) {
      rest.push_back(request);
      continue;
    }
    const bool has_done = sum.bytes_released + sum.bytes_restored + sum.tokens_trimmed > 0;
    if (sum.status == Status::nothing && has_done) sum.status = Status::done;
    ended_.push_back(sum);
  }
  requests_ = rest;
}

void SimPool::drain(Outcomes& ended) {
  // Left over from a decode that was the last one: nobody else would serve it.
  if (!engine_.is_busy()) serve();
  Outcomes rest;
  for (const Outcome& outcome : ended_) {
    if (!ended.push_back(outcome)) rest.push_back(outcome);
  }
  ended_ = rest;
}

PoolView KvSimPool::view() {
  const EngineSpec& spec = engine_.spec();
  PoolView view;
  view.kind = PoolKind::kv;
  view.t_us = now_us_;
  view.reserved_bytes = spec.context_bytes();
  view.live_bytes = engine_.live_bytes();
  view.resident_bytes = engine_.kv_resident_bytes();
  view.releasable_bytes = minus(view.resident_bytes, view.live_bytes);
  view.trimmable_bytes = engine_.trimmable_tokens() * spec.bytes_per_token;
  const std::uint64_t room = disk_room_bytes();
  if (!drops()) view.trimmable_bytes = std::min(view.trimmable_bytes, room);
  view.spillable_bytes = std::min(engine_.spillable_tokens() * spec.bytes_per_token, room);
  view.spilled_bytes = engine_.on_disk_bytes();
  view.trimmed_bytes = engine_.trimmed_bytes();
  view.waiting_bytes = engine_.waiting_bytes();
  view.surge_bytes =
      std::min(kMachine.prefill_batch, minus(spec.context_tokens, engine_.cells_live())) *
      spec.bytes_per_token;
  view.cells_total = spec.context_tokens;
  view.cells_live = engine_.cells_live();
  view.bytes_per_cell = spec.bytes_per_token;
  view.granule_bytes = spec.granule_bytes;
  return view;
}

void KvSimPool::set_budget(std::optional<std::uint64_t> live_bytes_most) {
  engine_.set_budget(live_bytes_most.value_or(std::numeric_limits<std::uint64_t>::max()));
}

std::uint64_t KvSimPool::disk_room_bytes() const {
  if (disk_ == nullptr || now_us_ < refused_until_us_) return 0;
  return disk_->room_bytes(engine_.on_disk_bytes());
}

bool KvSimPool::knows(Verb verb) const {
  switch (verb) {
    case Verb::release:
      return true;
    case Verb::trim:
      return engine_.spec().trim != TrimRule::off;
    case Verb::spill:
    case Verb::restore:
      return disk_ != nullptr && disk_->is_present();
    case Verb::compact:
      return false;  // pages are never shared here
  }
  return false;
}

void KvSimPool::perform(const Action& action, const Outcome& so_far, std::uint64_t budget_us,
                        Outcome& outcome) {
  const std::uint64_t per_token = engine_.spec().bytes_per_token;
  const std::uint64_t tokens = (action.bytes + per_token - 1) / per_token;
  switch (action.verb) {
    case Verb::trim:
      return trim(minus(tokens, so_far.tokens_trimmed), budget_us, outcome);
    case Verb::spill:
      return spill(minus(tokens, so_far.bytes_spilled / per_token), budget_us, outcome);
    case Verb::restore:
      return restore(minus(action.bytes, so_far.bytes_restored) / per_token, budget_us, outcome);
    case Verb::release:
    case Verb::compact:
      return release(budget_us, outcome);
  }
}

/// Gives back every free page whatever was asked for, as far as the time goes.
void KvSimPool::release(std::uint64_t budget_us, Outcome& outcome) {
  if (minus(engine_.kv_resident_bytes(), engine_.live_bytes()) == 0) return;
  if (is_refusing_) {
    outcome.status = Status::failed;
    outcome.errno_value = EINVAL;
    return;
  }
  const double us_per_byte = 1e6 / kMachine.release_bytes_per_s;
  const std::uint64_t most = to_bytes(static_cast<double>(budget_us) / us_per_byte);
  outcome.bytes_released = engine_.release_kv(most);
  outcome.duration_us += to_bytes(static_cast<double>(outcome.bytes_released) * us_per_byte);
  const bool is_rest = engine_.kv_resident_bytes() > engine_.live_bytes();
  outcome.status = is_rest ? Status::more : Status::done;
}

/// The engine waits at its safe point, for at most half of the time: pages are given back in the
/// rest.
std::uint64_t KvSimPool::move(std::uint64_t bytes, std::uint64_t budget_us, Outcome& outcome) {
  const SimDisk::Moved moved =
      disk_->move(bytes, engine_.spec().bytes_per_token, budget_us / 2, now_us_);
  outcome.duration_us += moved.waited_us;
  engine_.delay(static_cast<double>(moved.waited_us) * 1e-6);
  return moved.bytes;
}

/// How many tokens' rows have reached the disk by now. A disk that fails is left alone for a while.
std::uint64_t KvSimPool::write(std::uint64_t tokens, std::uint64_t budget_us, Outcome& outcome) {
  const std::uint64_t per_token = engine_.spec().bytes_per_token;
  const std::uint64_t bytes = std::min(tokens * per_token, disk_room_bytes());
  if (bytes > 0 && disk_->is_broken()) {
    refused_until_us_ = now_us_ + to_bytes(kMachine.refused_s * 1e6);
    outcome.errno_value = EIO;
  } else if (bytes < per_token) {
    outcome.errno_value = ENOSPC;
  } else {
    outcome.bytes_spilled = move(bytes - bytes % per_token, budget_us, outcome);
    outcome.status = Status::more;
    return outcome.bytes_spilled / per_token;
  }
  outcome.status = Status::failed;
  return 0;
}

/// Pages that the time does not suffice for stay free to be released.
void KvSimPool::trim(std::uint64_t tokens, std::uint64_t budget_us, Outcome& outcome) {
  const std::uint64_t wanted = std::min(tokens, engine_.trimmable_tokens());
  if (wanted == 0) return;
  const std::uint64_t written = disk_ == nullptr ? 0 : write(wanted, budget_us, outcome);
  const bool is_refused = disk_ == nullptr || outcome.status == Status::failed;
  if (is_refused && !drops()) return;
  outcome.tokens_trimmed = engine_.trim(is_refused ? wanted : written, !is_refused);
  if (is_refused) outcome.tokens_lost = outcome.tokens_trimmed;
  const std::uint64_t trimmed = outcome.tokens_trimmed;
  if (trimmed > 0) release(budget_us / 2, outcome);
  outcome.status = trimmed < wanted && !is_refused ? Status::more : Status::done;
}

void KvSimPool::spill(std::uint64_t tokens, std::uint64_t budget_us, Outcome& outcome) {
  const std::uint64_t wanted = std::min(tokens, engine_.spillable_tokens());
  if (wanted == 0) return;
  if (is_refusing_) {
    outcome.status = Status::failed;
    outcome.errno_value = EINVAL;
    return;
  }
  const std::uint64_t written = write(wanted, budget_us, outcome);
  if (outcome.status == Status::failed) return;
  const std::uint64_t spilled = engine_.spill(written);
  outcome.bytes_released = engine_.release_kv(spilled * engine_.spec().bytes_per_token);
  outcome.status = spilled < wanted ? Status::more : Status::done;
}

/// What a broken disk does not give back is lost, a block at a time.
void KvSimPool::restore(std::uint64_t tokens, std::uint64_t budget_us, Outcome& outcome) {
  const std::uint64_t per_token = engine_.spec().bytes_per_token;
  const std::uint64_t wanted = std::min(tokens, engine_.restorable_tokens());
  if (wanted == 0) return;
  if (disk_->is_broken()) {
    const std::uint64_t block = std::max<std::uint64_t>(SpillStore::kMaxBlockBytes / per_token, 1);
    outcome.tokens_lost = engine_.lose(std::min(wanted, block));
    outcome.status = Status::failed;
    outcome.errno_value = EIO;
    return;
  }
  const std::uint64_t read = move(wanted * per_token, budget_us, outcome) / per_token;
  const EngineModel::Restored restored = engine_.restore(read);
  outcome.bytes_restored = restored.tokens * per_token;
  outcome.tokens_restored = restored.of_spans;
  outcome.status = restored.tokens < wanted ? Status::more : Status::done;
}

PoolView ScratchSimPool::view() {
  PoolView view;
  view.kind = PoolKind::scratch;
  view.t_us = now_us_;
  view.reserved_bytes =
      std::max(engine_.spec().prefill_scratch_bytes, engine_.spec().scratch_bytes);
  view.resident_bytes = view.releasable_bytes = engine_.scratch_resident_bytes();
  view.granule_bytes = 4096;
  return view;
}

void ScratchSimPool::perform(const Action&, const Outcome&, std::uint64_t, Outcome& outcome) {
  if (is_refusing_) {
    outcome.status = Status::failed;
    outcome.errno_value = EINVAL;
    return;
  }
  outcome.bytes_released = engine_.release_scratch();
  outcome.status = outcome.bytes_released > 0 ? Status::done : Status::nothing;
}

}  // namespace kvpsi
