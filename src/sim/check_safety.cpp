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
    // A pool that fails to write says so one step later than its disk.
    const bool takes = now.disk_takes && disk_took_;
    const bool may_drop = scenario_.engine.trim == TrimRule::eager && !takes;
    if (now.tokens_lost > lost_so_far_ && now.disk_gives && disk_gave_ && !may_drop) {
      note(lost_, fmt::format("{} tokens were lost though a file could have kept them",
                              now.tokens_lost - lost_so_far_));
    }
    lost_so_far_ = now.tokens_lost;
    disk_took_ = now.disk_takes;
    disk_gave_ = now.disk_gives;
    if (now.kv_resident_bytes < now.kv_live_bytes) {
      note(pages_, fmt::format("{} of live KV are not in memory",
                               now.kv_live_bytes - now.kv_resident_bytes));
    }
  }

  void on_tick(const Tick& tick) override {
    for (const Outcome& outcome : tick.observation.outcomes) {
      if (outcome.status == Status::queued) continue;
      flags_in_flight_ &= ~bit(outcome.verb);
      if (outcome.verb != Verb::trim) continue;
      const std::uint64_t most =
          asked_bytes_ + 2 * scenario_.engine.granule_bytes + scenario_.engine.bytes_per_token;
      if (outcome.tokens_trimmed * scenario_.engine.bytes_per_token > most) {
        note(more_,
             fmt::format("{} tokens were trimmed for {} B", outcome.tokens_trimmed, asked_bytes_));
      }
    }
    for (const Action& action : tick.decision.actions) check_action(action, tick);
    if (tick.decision.actions.size() > 1 && tick.decision.reason == Reason::restore) {
      note(hasty_, "a restore was asked for beside something else");
    }
    if (scenario_.expect.needs_no_action && tick.decision.kv_budget_bytes) {
      note(budget_, "growth was bounded although it is not our pressure");
    }
  }

  void finish(std::vector<Violation>& out) override {
    for (const auto* found :
         {&oom_, &lost_, &pages_, &twice_, &floor_, &more_, &budget_, &hasty_}) {
      if (*found) out.push_back(**found);
    }
  }

 private:
  void check_action(const Action& action, const Tick& tick) {
    if (action.verb == Verb::release) return;
    if ((flags_in_flight_ & bit(action.verb)) != 0) {
      note(twice_,
           fmt::format("a second {} was asked for while one was in flight", name(action.verb)));
    }
    flags_in_flight_ |= bit(action.verb);
    if (action.verb == Verb::restore && is_pressed(tick)) {
      note(hasty_, "a restore was asked for under pressure");
    }
    if (action.verb == Verb::spill && scenario_.expect.needs_no_action) {
      note(lost_, "a spill was asked for where none is needed");
    }
    if (action.verb != Verb::trim) return;
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

  static unsigned bit(Verb verb) { return 1U << static_cast<unsigned>(verb); }
  static bool is_pressed(const Tick& tick) {
    return tick.signal.stall_us_new > 0 || tick.signal.draining || tick.signal.oom_near ||
           tick.signal.oom_kill;
  }

  const Scenario scenario_;
  double t_s_ = 0;
  unsigned flags_in_flight_ = 0;  ///< by verb
  std::uint64_t lost_so_far_ = 0;
  bool disk_took_ = true;
  bool disk_gave_ = true;
  std::uint64_t asked_bytes_ = 0;
  std::optional<Violation> oom_, lost_, pages_, twice_, floor_, more_, budget_, hasty_;
};

}  // namespace

std::unique_ptr<Checker> make_safety_checker(const Scenario& scenario) {
  return std::make_unique<SafetyChecker>(scenario);
}

}  // namespace kvpsi
