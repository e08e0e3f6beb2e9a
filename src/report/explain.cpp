// SPDX-License-Identifier: MIT
// See explain.h.
#include "report/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/bytes.h"
#include "policy/soft_max.h"

namespace kvpsi {
namespace {

std::string percent(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string signed_bytes(std::int64_t bytes) {
  if (bytes >= 0) return format_bytes(static_cast<std::uint64_t>(bytes));
  return "-" + format_bytes(~static_cast<std::uint64_t>(bytes) + 1);
}

std::string headroom_text(const Signal& signal) {
  if (signal.headroom_bytes == std::numeric_limits<std::int64_t>::max()) {
    return "headroom is unknown";
  }
  const auto low = signal.reserve_low_bytes;
  const bool below =
      signal.headroom_bytes < 0 || static_cast<std::uint64_t>(signal.headroom_bytes) < low;
  return fmt::format("headroom {} is {} the reserve of {}", signed_bytes(signal.headroom_bytes),
                     below ? "below" : "not below", format_bytes(low));
}

std::string stall_text(const Signal& signal) {
  if (!signal.psi_present) return "no stall counter could be read";
  const std::string_view whose = signal.origin == Origin::own ? "own stall"
                                 : signal.origin == Origin::limit
                                     ? "stall of others under our limit"
                                 : signal.origin == Origin::parent ? "stall in the group above"
                                 : signal.origin == Origin::system ? "stall of the whole machine"
                                                                   : "stall";
  return fmt::format("{} was {} of 2 s", whose, percent(signal.some_fast));
}

/// What made it a sign.
std::string sign_text(const Signal& signal) {
  if (signal.hinted) return "a service manager asked for memory";
  if (signal.oom_near) return "next to nothing is left to reclaim";
  if (signal.draining) return "others take the last of the reserve";
  return fmt::format("{:.1f} ms of new stall", static_cast<double>(signal.stall_us_new) / 1e3);
}

std::string situation(const Signal& signal) {
  std::string text = stall_text(signal) + ", " + headroom_text(signal);
  if (std::isfinite(signal.time_to_empty_s)) {
    text += fmt::format(" and would be gone in {:.1f} s", signal.time_to_empty_s);
  }
  if (signal.oom_kill) text += ", the kernel killed a process of our group";
  return text;
}

/// The need, and whose it is where others share it.
std::string need_text(const Tick& tick) {
  const std::string need = format_bytes(tick.decision.need_bytes);
  if (tick.signal.peers_bytes == 0) return need;
  return fmt::format(
      "{} as our share (we hold {} of anonymous memory, other governed processes {})", need,
      format_bytes(tick.observation.sample.own_anon_bytes), format_bytes(tick.signal.peers_bytes));
}

std::string live_kv(const Tick& tick) {
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  return kv == nullptr ? "of unknown size" : format_bytes(kv->live_bytes);
}

/// What a restore brings back.
std::string on_disk(const Tick& tick) {
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  if (kv == nullptr || kv->spilled_bytes == 0) return "what is on disk";
  std::string text = fmt::format("more of the {} on disk", format_bytes(kv->spilled_bytes));
  if (kv->trimmed_bytes > 0) {
    text += fmt::format(" ({} of them out of running contexts)", format_bytes(kv->trimmed_bytes));
  }
  return text;
}

/// A pool that may take nothing out of a context has no file to write it to.
std::string_view floor_text(const Tick& tick) {
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  return kv != nullptr && kv->trimmable_bytes == 0 ? "has nothing that may be taken out now"
                                                   : "is at its floor (--kv-min)";
}

/// Of the pools that were asked for it.
std::uint64_t sum_unused(const Tick& tick) {
  std::uint64_t sum = 0;
  for (const Action& action : tick.decision.actions) {
    const PoolView* pool = find_pool(tick.observation.pools, action.pool);
    if (pool == nullptr) continue;
    sum += action.verb == Verb::spill ? pool->idle_bytes : pool->releasable_bytes;
  }
  return sum;
}

std::string action_text(const Action& action) {
  const std::string size = action.bytes == 0 ? "everything free" : format_bytes(action.bytes);
  return fmt::format("asked {} to {} {}", name(action.pool), name(action.verb), size);
}

std::string outcome_text(const Outcome* outcome) {
  if (outcome == nullptr) return "no outcome is recorded";
  if (outcome->status == Status::failed) {
    return fmt::format("it failed with errno {}", outcome->errno_value);
  }
  if (outcome->status == Status::nothing) return "there was nothing to give";
  std::string text = outcome->verb == Verb::restore
                         ? fmt::format("brought back {}", format_bytes(outcome->bytes_restored))
                         : fmt::format("gave back {}", format_bytes(outcome->bytes_released));
  const std::uint64_t tokens = std::max(outcome->tokens_trimmed, outcome->tokens_restored);
  if (tokens > 0) text += fmt::format(" ({} tokens)", tokens);
  if (outcome->tokens_lost > 0) text += fmt::format(", {} tokens are lost", outcome->tokens_lost);
  text += fmt::format(" in {:.1f} ms", static_cast<double>(outcome->duration_us) / 1e3);
  if (outcome->status == Status::more) text += ", more is left";
  return text;
}

std::string actions_text(std::span<const Tick> from_here) {
  const Tick& tick = from_here.front();
  std::string text;
  for (const Action& action : tick.decision.actions) {
    if (!text.empty()) text += "; ";
    text += action_text(action) + ": ";
    text += tick.dry_run ? "only said, this was a dry run"
                         : outcome_text(find_outcome(from_here.subspan(1), action));
  }
  return text;
}

/// What a person changed about the soft maximum since the turn before, as a clause; empty =
/// nothing.
std::string soft_max_text(const Tick& tick, const Tick* before) {
  const auto now = tick.observation.kv_soft_max_bytes;
  if (before == nullptr ? !now : now == before->observation.kv_soft_max_bytes) return {};
  if (!now) return "the soft maximum of live KV was lifted, ";
  std::string text = fmt::format("the soft maximum of live KV was set to {}, ", format_bytes(*now));
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  if (kv != nullptr && is_soft_max_churning(now, kv->live_bytes)) {
    text += fmt::format("less than half of the {} that are live (new work will churn), ",
                        format_bytes(kv->live_bytes));
  }
  return text;
}

/// What new work may fill, and which bound it is that counts.
std::string budget_text(const Tick& tick) {
  const auto budget = tick.decision.kv_budget_bytes;
  const auto soft_max = tick.observation.kv_soft_max_bytes;
  if (!budget) return {};
  return fmt::format("budget:  new work may fill the KV cache up to {}{}\n", format_bytes(*budget),
                     soft_max == budget ? " (--kv-soft-max); a running answer may go past it" : "");
}

/// Times are printed in milliseconds; one that was printed must find its own turn again.
constexpr double kPrintedS = 0.0005;

std::string make_sentence(std::span<const Tick> from_here, double t_s, const Tick* before) {
  const Tick& tick = from_here.front();
  const Decision& decision = tick.decision;
  std::string text = fmt::format("at {:.3f} s: ", t_s);
  if (before == nullptr) {
    text += fmt::format("began at level {}, ", name(decision.level));
  } else if (before->decision.level != decision.level) {
    text += fmt::format("level {} after {}, ", name(decision.level), name(before->decision.level));
  }
  text += soft_max_text(tick, before);
  text += decision.actions.empty() ? "did nothing" : actions_text(from_here);
  return text + " because " + explain_reason(tick) + ".";
}

}  // namespace

const Outcome* find_outcome(std::span<const Tick> later, const Action& action) {
  for (const Tick& tick : later) {
    for (const Outcome& outcome : tick.observation.outcomes) {
      if (outcome.decision_id == action.decision_id && outcome.verb == action.verb &&
          outcome.pool == action.pool && outcome.status != Status::queued) {
        return &outcome;
      }
    }
  }
  return nullptr;
}

std::string explain_reason(const Tick& tick) {
  const Signal& signal = tick.signal;
  const std::string need = need_text(tick);
  switch (tick.decision.reason) {
    case Reason::at_rest:
      if (tick.decision.level != Level::calm) {
        return "nothing more is needed now, and the level is held until it has been quiet for a "
               "while: " +
               situation(signal);
      }
      return "there is no pressure: " + situation(signal);
    case Reason::tidy:
      return fmt::format("{} lay unused without any pressure", format_bytes(sum_unused(tick)));
    case Reason::first_sign:
      return fmt::format("this is the first sign of pressure ({}): {}", sign_text(signal),
                         situation(signal));
    case Reason::level_entry:
      return fmt::format("level {} was entered: {}", name(tick.decision.level), situation(signal));
    case Reason::need:
      return fmt::format("{} is needed: {}", need, situation(signal));
    case Reason::room:
      return fmt::format("new work waits for room that the budget does not give beside {} live",
                         live_kv(tick));
    case Reason::cap:
      return fmt::format("the live KV cache ({}) is over its cap (--kv-max)", live_kv(tick));
    case Reason::asked:
      return "a person or program asked for memory back";
    case Reason::blanking:
      return fmt::format("the last step is still taking effect (need {}): {}", need,
                         situation(signal));
    case Reason::in_flight:
      return fmt::format("the last step waits for the engine's next safe point (need {})", need);
    case Reason::futile:
      return fmt::format("earlier steps did not lower the stall, so it is not ours: {}",
                         situation(signal));
    case Reason::too_little:
      return fmt::format("all that could be given is far below the need of {}", need);
    case Reason::at_floor:
      return fmt::format("the live KV cache ({}) {}, need {}", live_kv(tick), floor_text(tick),
                         need);
    case Reason::not_allowed:
      return fmt::format("only taking context out would help (need {}), and --trim forbids it",
                         need);
    case Reason::paused:
      return "governing was paused";
    case Reason::foreign:
      return "others stall, and giving up context would not relieve them: " + situation(signal);
    case Reason::edge:
      return fmt::format(
          "the limit kills without stalling first, and {} is missing for what is taken at once: {}",
          format_bytes(surge_missing_bytes(signal)), situation(signal));
    case Reason::restore:
      return fmt::format("pressure is over and memory bears {}: {}", on_disk(tick),
                         situation(signal));
  }
  return "of a rule this version does not know";
}

std::vector<Event> explain_events(std::span<const Tick> ticks, bool every_turn) {
  std::vector<Event> events;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const Tick& tick = ticks[i];
    const Tick* before = i == 0 ? nullptr : &ticks[i - 1];
    const bool told = every_turn || before == nullptr || !tick.decision.actions.empty() ||
                      before->decision.level != tick.decision.level ||
                      before->decision.reason != tick.decision.reason ||
                      before->observation.kv_soft_max_bytes != tick.observation.kv_soft_max_bytes;
    if (!told) continue;
    const double t_s = seconds_between(ticks.front(), tick);
    events.push_back({.t_s = t_s,
                      .decision_id = tick.decision.id,
                      .level = tick.decision.level,
                      .reason = tick.decision.reason,
                      .sentence = make_sentence(ticks.subspan(i), t_s, before)});
  }
  return events;
}

double covered_s(std::span<const Tick> ticks) {
  double most_s = 0;
  for (const Tick& tick : ticks) most_s = std::max(most_s, seconds_between(ticks.front(), tick));
  return most_s;
}

std::optional<std::size_t> find_turn(std::span<const Tick> ticks, double t_s) {
  if (ticks.empty() || t_s > covered_s(ticks) + kPrintedS) return std::nullopt;
  std::size_t at = 0;
  while (at + 1 < ticks.size() && seconds_between(ticks.front(), ticks[at + 1]) <= t_s + kPrintedS)
    ++at;
  return at;
}

std::string explain_turn(std::span<const Tick> ticks, std::size_t turn,
                         const PolicyConfig* config) {
  const Tick& tick = ticks[turn];
  const Decision& decision = tick.decision;
  std::string text = fmt::format("decision {} at {:.3f} s, level {}, rule {}\n", decision.id,
                                 seconds_between(ticks.front(), tick), name(decision.level),
                                 name(decision.reason));
  text += fmt::format("seen:    {:.1f} ms of stall since the turn before, limit {}, reclaim {}\n",
                      static_cast<double>(tick.signal.stall_us_new) / 1e3,
                      tick.signal.limit_hit ? "hit" : "not hit",
                      tick.signal.reclaim_active ? "active" : "still");
  for (const PoolView& pool : tick.observation.pools) {
    text += fmt::format("pool:    {}: {} live, {} resident, {} free to release", name(pool.kind),
                        format_bytes(pool.live_bytes), format_bytes(pool.resident_bytes),
                        format_bytes(pool.releasable_bytes));
    if (pool.spillable_bytes > 0) {
      text += fmt::format(", {} idle", format_bytes(pool.spillable_bytes));
    }
    if (pool.spilled_bytes > 0) {
      text += fmt::format(", {} on disk", format_bytes(pool.spilled_bytes));
    }
    text += "\n";
  }
  text += "meaning: " + situation(tick.signal) + "\n";
  text += fmt::format("need:    {}\n", need_text(tick));
  text += budget_text(tick);
  text += "because: " + explain_reason(tick) + "\n";
  text += decision.actions.empty() ? "did:     nothing more, that rule asks for no action\n"
                                   : "did:     " + actions_text(ticks.subspan(turn)) + "\n";
  if (config != nullptr) {
    text += fmt::format("allowed: release {}, trim {}\n", config->release_allowed ? "yes" : "no",
                        config->trim_allowed ? "yes" : "no");
  }
  return text;
}

}  // namespace kvpsi
