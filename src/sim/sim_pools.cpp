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

Outcome SimPool::run(const Action& action, std::uint64_t budget_us) {
  Outcome outcome = answer(action, Status::nothing);
  perform(action, budget_us, outcome);
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
  return run(action, budget_us);
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
    const Outcome part = run(request.action, left_us);
    left_us = minus(left_us, part.duration_us);
    Outcome& sum = request.so_far;
    sum.t_us = part.t_us;
    sum.status = part.status;
    sum.duration_us += part.duration_us;
    sum.bytes_released += part.bytes_released;
    sum.tokens_trimmed += part.tokens_trimmed;
    sum.errno_value = part.errno_value;
    if (sum.status == Status::more) {
      rest.push_back(request);
      continue;
    }
    if (sum.status == Status::nothing && sum.bytes_released > 0) sum.status = Status::done;
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
  view.waiting_bytes = engine_.waiting_bytes();
  view.cells_total = spec.context_tokens;
  view.cells_live = engine_.live_tokens();
  view.bytes_per_cell = spec.bytes_per_token;
  view.granule_bytes = spec.granule_bytes;
  return view;
}

void KvSimPool::set_budget(std::optional<std::uint64_t> live_bytes_most) {
  engine_.set_budget(live_bytes_most.value_or(std::numeric_limits<std::uint64_t>::max()));
}

bool KvSimPool::knows(Verb verb) const {
  return verb == Verb::release || (verb == Verb::trim && engine_.spec().trim != TrimRule::off);
}

void KvSimPool::perform(const Action& action, std::uint64_t budget_us, Outcome& outcome) {
  if (action.verb == Verb::trim) {
    trim(action, budget_us, outcome);
  } else {
    release(budget_us, outcome);
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
  outcome.duration_us = to_bytes(static_cast<double>(outcome.bytes_released) * us_per_byte);
  const bool is_rest = engine_.kv_resident_bytes() > engine_.live_bytes();
  outcome.status = is_rest ? Status::more : Status::done;
}

/// Drops whole granules. Pages that the time does not suffice for stay free to be released; the
/// request must not trim again.
void KvSimPool::trim(const Action& action, std::uint64_t budget_us, Outcome& outcome) {
  const std::uint64_t per_token = engine_.spec().bytes_per_token;
  outcome.tokens_trimmed = engine_.trim((action.bytes + per_token - 1) / per_token);
  if (outcome.tokens_trimmed == 0) return;
  release(budget_us, outcome);
  outcome.status = Status::done;
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

void ScratchSimPool::perform(const Action&, std::uint64_t, Outcome& outcome) {
  if (is_refusing_) {
    outcome.status = Status::failed;
    outcome.errno_value = EINVAL;
    return;
  }
  outcome.bytes_released = engine_.release_scratch();
  outcome.status = outcome.bytes_released > 0 ? Status::done : Status::nothing;
}

}  // namespace kvpsi
