// SPDX-License-Identifier: MIT
// Action and Outcome: what the policy asks of a pool, and what really came of it. Bytes in an
// Outcome are measured, never those asked for; a refused system call is data, not an exception.
// Next hop: govern/governor hands actions to MemoryPool, outcomes come back with a later tick.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/fixed_vector.h"
#include "model/field.h"
#include "model/pool_view.h"

namespace kvpsi {

/// The fixed verbs, used alike in code, CLI, journal and plots.
enum class Verb : std::uint8_t { release, compact, spill, restore, trim };

constexpr std::string_view name(Verb verb) {
  switch (verb) {
    case Verb::release:
      return "release";
    case Verb::compact:
      return "compact";
    case Verb::spill:
      return "spill";
    case Verb::restore:
      return "restore";
    case Verb::trim:
      return "trim";
  }
  return "unknown";
}

/// One thing to do with one pool.
struct Action {
  std::uint64_t decision_id = 0;  ///< the decision that asked for it
  Verb verb = Verb::release;
  PoolKind pool = PoolKind::kv;
  std::uint64_t bytes = 0;  ///< how much to give back (restore: bring back); 0 = all (release only)
  std::uint64_t budget_us = 0;  ///< stop with `more` after this much time

  bool operator==(const Action&) const = default;
};

using Actions = FixedVector<Action, 8>;

enum class Status : std::uint8_t {
  done,     ///< all that was asked for
  more,     ///< some, the time budget or the request's safe point ended it: ask again
  nothing,  ///< there was nothing to give
  failed,   ///< the kernel or llama.cpp refused; errno_value says why
  queued,   ///< not yet: the engine does it at its next safe point and reports then
};

constexpr std::string_view name(Status status) {
  switch (status) {
    case Status::done:
      return "done";
    case Status::more:
      return "more";
    case Status::nothing:
      return "nothing";
    case Status::failed:
      return "failed";
    case Status::queued:
      return "queued";
  }
  return "unknown";
}

/// What came of one action.
struct Outcome {
  std::uint64_t decision_id = 0;
  Verb verb = Verb::release;
  PoolKind pool = PoolKind::kv;
  Status status = Status::nothing;
  std::uint64_t t_us = 0;             ///< when it ended (for `queued`: when it was queued)
  std::uint64_t duration_us = 0;      ///< time the action itself took
  std::uint64_t bytes_released = 0;   ///< measured: exclusive pages before minus after
  std::uint64_t bytes_spilled = 0;    ///< written to the spill file
  std::uint64_t bytes_restored = 0;   ///< read back into memory
  std::uint64_t tokens_trimmed = 0;   ///< taken out of the context
  std::uint64_t tokens_restored = 0;  ///< back in the context
  std::uint64_t tokens_lost = 0;      ///< gone for good: dropped without a file, or the file failed
  std::int64_t errno_value = 0;

  bool operator==(const Outcome&) const = default;
};

using Outcomes = FixedVector<Outcome, 16>;

/// The field tables of Action and Outcome; see sample.h for the contract.
template <class Visitor, class A>
void visit_fields(Visitor&& visit, A& a)
  requires std::is_same_v<std::remove_const_t<A>, Action>
{
  visit(Field{"decision_id", "1", "the decision that asked for it"}, a.decision_id);
  visit(Field{"verb", "name", "what to do"}, a.verb);
  visit(Field{"pool", "name", "with which pool"}, a.pool);
  visit(Field{"bytes", "bytes", "how much to give back or restore, 0 = everything"}, a.bytes);
  visit(Field{"budget_us", "us", "time it may take"}, a.budget_us);
}

template <class Visitor, class O>
void visit_fields(Visitor&& visit, O& o)
  requires std::is_same_v<std::remove_const_t<O>, Outcome>
{
  visit(Field{"decision_id", "1", "the decision that asked for it"}, o.decision_id);
  visit(Field{"verb", "name", "what was done"}, o.verb);
  visit(Field{"pool", "name", "with which pool"}, o.pool);
  visit(Field{"status", "name", "done, more, nothing, failed, queued"}, o.status);
  visit(Field{"t_us", "us", "when it ended"}, o.t_us);
  visit(Field{"duration_us", "us", "time it took"}, o.duration_us);
  visit(Field{"bytes_released", "bytes", "measured fall of resident memory"}, o.bytes_released);
  visit(Field{"bytes_spilled", "bytes", "written to the spill file"}, o.bytes_spilled);
  visit(Field{"bytes_restored", "bytes", "read back into memory"}, o.bytes_restored);
  visit(Field{"tokens_trimmed", "1", "taken out of the context"}, o.tokens_trimmed);
  visit(Field{"tokens_restored", "1", "back in the context"}, o.tokens_restored);
  visit(Field{"tokens_lost", "1", "gone for good"}, o.tokens_lost);
  visit(Field{"errno_value", "1", "why it failed"}, o.errno_value);
}

}  // namespace kvpsi
