// SPDX-License-Identifier: MIT
// Nothing that may not happen has happened; see checker.h.
#include <fmt/format.h>

#include <optional>

#include "base/bytes.h"
#include "sim/checker.h"

namespace kvpsi {
namespace {

class SafetyChecker final : public Checker {
 public:
  explicit SafetyChecker(const Scenario& scenario) : scenario_(scenario) {}

  void on_instant(const Instant& now) override {
    t_s_ = now.t_s();
    if (now.oom_kills > 0 && !scenario_.expect.may_oom)
      note(oom_, "somebody was killed for memory");
    const bool may_lose = scenario_.engine.trim != TrimRule::off || scenario_.engine.kv_max_bytes;
    if (now.tokens_lost > 0 && (!may_lose || scenario_.expect.needs_no_trim)) {
      note(lost_, fmt::format("{} tokens were dropped where none need be", now.tokens_lost));
    }
    if (now.kv_resident_bytes < now.kv_live_bytes) {
      note(pages_, fmt::format("{} of live KV are not in memory",
                               now.kv_live_bytes - now.kv_resident_bytes));
    }
  }

  void on_tick(const Tick& tick) override {
    for (const Outcome& outcome : tick.observation.outcomes) {
      if (outcome.verb != Verb::trim || outcome.status == Status::queued) continue;
      in_flight_ = false;
      const std::uint64_t most =
          asked_bytes_ + 2 * scenario_.engine.granule_bytes + scenario_.engine.bytes_per_token;
      if (outcome.tokens_trimmed * scenario_.engine.bytes_per_token > most) {
        note(more_,
             fmt::format("{} tokens were trimmed for {} B", outcome.tokens_trimmed, asked_bytes_));
      }
    }
    for (const Action& action : tick.decision.actions) check_action(action, tick);
    if (scenario_.expect.needs_no_action && tick.decision.kv_budget_bytes) {
      note(budget_, "growth was bounded although it is not our pressure");
    }
  }

  void finish(std::vector<Violation>& out) override {
    for (const auto* found : {&oom_, &lost_, &pages_, &twice_, &floor_, &more_, &budget_}) {
      if (*found) out.push_back(**found);
    }
  }

 private:
  void check_action(const Action& action, const Tick& tick) {
    if (action.verb != Verb::trim) return;
    if (in_flight_) note(twice_, "a second trim was asked for while one was in flight");
    in_flight_ = true;
    asked_bytes_ = action.bytes;
    if (scenario_.expect.needs_no_trim || scenario_.expect.needs_no_action) {
      note(lost_, "a trim was asked for where none is needed");
    }
    const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
    if (kv == nullptr) return;
    const std::uint64_t floor = scenario_.engine.kv_min_bytes;
    if (action.bytes > kv->trimmable_bytes || action.bytes + floor > kv->live_bytes) {
      note(floor_, fmt::format("a trim of {} B goes below what must stay", action.bytes));
    }
  }
  void note(std::optional<Violation>& into, std::string what) const {
    if (!into) into = Violation{"safety", t_s_, std::move(what)};
  }

  const Scenario scenario_;
  double t_s_ = 0;
  bool in_flight_ = false;
  std::uint64_t asked_bytes_ = 0;
  std::optional<Violation> oom_, lost_, pages_, twice_, floor_, more_, budget_;
};

}  // namespace

std::unique_ptr<Checker> make_safety_checker(const Scenario& scenario) {
  return std::make_unique<SafetyChecker>(scenario);
}

}  // namespace kvpsi
