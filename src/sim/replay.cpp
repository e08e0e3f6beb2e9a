// SPDX-License-Identifier: MIT
// See replay.h.
#include "sim/replay.h"

#include <fmt/format.h>

#include <type_traits>

#include "policy/decide.h"

namespace kvpsi {
namespace {

template <class T>
std::string show(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(name(value));
  } else if constexpr (requires { value.has_value(); }) {
    return value ? fmt::format("{}", *value) : "null";
  } else {
    return fmt::format("{}", value);
  }
}

/// Finds the first differing field of two records by their field table.
template <class Record>
bool find_difference(const Record& recorded, const Record& replayed, const std::string& prefix,
                     ReplayDifference& out) {
  if (recorded == replayed) return false;
  std::vector<std::string> values;
  visit_fields([&values](const Field&, const auto& value) { values.push_back(show(value)); },
               recorded);
  std::size_t i = 0;
  bool found = false;
  visit_fields(
      [&](const Field& field, const auto& value) {
        const std::string& before = values[i++];
        const std::string after = show(value);
        if (found || before == after) return;
        found = true;
        out.field = prefix + std::string(field.name);
        out.recorded = before;
        out.replayed = after;
      },
      replayed);
  return found;
}

bool find_difference(const Tick& tick, const Decided& decided, std::uint64_t hash,
                     ReplayDifference& out) {
  if (find_difference(tick.signal, decided.signal, "signal.", out)) return true;
  if (find_difference(tick.decision, decided.decision, "decision.", out)) return true;
  const Actions& before = tick.decision.actions;
  const Actions& after = decided.decision.actions;
  if (before.size() != after.size()) {
    out.field = "number of actions";
    out.recorded = show(before.size());
    out.replayed = show(after.size());
    return true;
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (find_difference(before[i], after[i], fmt::format("actions[{}].", i), out)) return true;
  }
  if (tick.state_hash == hash) return false;
  out.field = "state_hash";
  out.recorded = fmt::format("{:016x}", tick.state_hash);
  out.replayed = fmt::format("{:016x}", hash);
  return true;
}

void add_to_sums(ReplaySums& sums, const Decision& decision) {
  sums.turns_under_pressure += decision.level != Level::calm ? 1 : 0;
  for (const Action& action : decision.actions) {
    ++sums.actions;
    if (action.verb == Verb::release) ++sums.release_actions;
    if (action.verb != Verb::trim) continue;
    ++sums.trims;
    sums.trim_bytes_asked += action.bytes;
  }
}

bool is_same_move(const Decision& a, const Decision& b) {
  return a.level == b.level && a.reason == b.reason && a.actions == b.actions;
}

/// The configuration of one tick after the other, hashed once.
class ConfigCursor {
 public:
  explicit ConfigCursor(const ConfigTimeline& configs) : configs_(configs) {}

  const PolicyConfig& go_to(std::size_t tick) {
    const PolicyConfig* now = configs_.at(tick);
    if (now == nullptr) now = &defaults_;
    if (now != config_) {
      config_ = now;
      hash_ = now->hash();
    }
    return *config_;
  }
  std::uint64_t hash() const { return hash_; }

 private:
  const ConfigTimeline& configs_;
  const PolicyConfig defaults_;
  const PolicyConfig* config_ = nullptr;
  std::uint64_t hash_ = 0;
};

}  // namespace

ReplayReport replay(std::span<const Tick> ticks, const ConfigTimeline& configs) {
  ReplayReport report;
  ConfigCursor cursor(configs);
  PolicyState state;
  std::uint64_t last_id = 0;
  bool state_known = false;
  for (const Tick& tick : ticks) {
    const PolicyConfig& config = cursor.go_to(report.ticks++);
    if (tick.decision.id == 1) {
      state = PolicyState{};
      state_known = true;
    } else if (last_id == 0 || tick.decision.id != last_id + 1) {
      ++report.gaps;
      state_known = false;
    }
    last_id = tick.decision.id;
    if (tick.config_hash != cursor.hash()) {
      ++report.other_config;
      state_known = false;
      continue;
    }
    if (!state_known) {
      ++report.after_gap;
      continue;
    }
    const Decided decided = decide(state, tick.observation, config);
    state = decided.state;
    ++report.compared;
    ReplayDifference difference;
    difference.decision_id = tick.decision.id;
    difference.t_s = seconds_between(ticks.front(), tick);
    if (!find_difference(tick, decided, state_hash(state), difference)) {
      ++report.reproduced;
    } else if (report.differences.size() < ReplayReport::kKeptDifferences) {
      report.differences.push_back(std::move(difference));
    }
  }
  return report;
}

WhatIf replay_otherwise(std::span<const Tick> ticks, const ConfigTimeline& configs) {
  WhatIf what_if;
  ConfigCursor cursor(configs);
  PolicyState state;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const Tick& tick = ticks[i];
    if (tick.decision.id == 1) state = PolicyState{};
    const Decided decided = decide(state, tick.observation, cursor.go_to(i));
    state = decided.state;
    Decision now = decided.decision;
    add_to_sums(what_if.then, tick.decision);
    add_to_sums(what_if.now, now);
    // Ids differ only where the journal starts in the middle; the moves are what counts.
    now.id = tick.decision.id;
    for (Action& action : now.actions) action.decision_id = now.id;
    if (is_same_move(tick.decision, now)) continue;
    ++what_if.changed;
    what_if.rows.push_back({seconds_between(ticks.front(), tick), tick.decision, now});
  }
  return what_if;
}

}  // namespace kvpsi
