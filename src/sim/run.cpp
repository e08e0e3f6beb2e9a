// SPDX-License-Identifier: MIT
// The loop of a simulated run; see run.h.
#include "sim/run.h"

#include "base/bytes.h"
#include "sim/machine.h"

namespace kvpsi {
namespace {

/// Passes what happens to the checkers and keeps the score.
class Judge final : public Watcher, public EventSink {
 public:
  Judge(const Scenario& scenario, LawKind law, EventSink* sink, Watcher* watcher)
      : sink_(sink), watcher_(watcher) {
    if (law != LawKind::kvpsi) return;  // rivals promise nothing
    checkers_.push_back(make_safety_checker(scenario));
    checkers_.push_back(make_liveness_checker(scenario));
    checkers_.push_back(make_stability_checker());
  }

  void on_instant(const Instant& now) override {
    t_s_ = now.t_s();
    const double stall_s = static_cast<double>(now.own_stall_us) * 1e-6;
    score_.own_stall_s += stall_s;
    score_.others_stall_s += static_cast<double>(now.others_stall_us) * 1e-6;
    if (stall_s > 0 && score_.first_stall_s < 0) score_.first_stall_s = t_s_;
    if (score_.first_action_s < 0) score_.stall_before_action_s += stall_s;
    if (now.kv_full_bytes > now.kv_live_bytes && !now.pressed) {
      score_.kv_given_up_mib_s +=
          to_mib(now.kv_full_bytes - now.kv_live_bytes) * static_cast<double>(now.dt_us) * 1e-6;
    }
    score_.tokens_lost = now.tokens_lost;
    score_.tokens_decoded = now.tokens_decoded;
    score_.oom_kills = now.oom_kills;
    for (const auto& checker : checkers_) checker->on_instant(now);
    if (watcher_ != nullptr) watcher_->on_instant(now);
  }

  void on_tick(const Tick& tick) override {
    ++turns_;
    if (answers_pressure(tick.decision) && score_.first_action_s < 0) score_.first_action_s = t_s_;
    for (const auto& checker : checkers_) checker->on_tick(tick);
    if (sink_ != nullptr) sink_->on_tick(tick);
  }

  void finish(RunReport& report) {
    report.score = score_;
    report.turns = turns_;
    for (const auto& checker : checkers_) checker->finish(report.violations);
  }

 private:
  std::vector<std::unique_ptr<Checker>> checkers_;
  EventSink* sink_;
  Watcher* watcher_;
  Score score_;
  double t_s_ = 0;
  std::uint64_t turns_ = 0;
};

}  // namespace

namespace {

/// Rivals know of no spill file: what they trim is dropped.
Scenario equip(Scenario scenario, LawKind law) {
  if (law == LawKind::kvpsi) return scenario;
  scenario.disk.is_present = false;
  if (scenario.engine.trim != TrimRule::off) scenario.engine.trim = TrimRule::eager;
  return scenario;
}

}  // namespace

RunReport run_scenario(const Scenario& scenario, std::uint64_t seed, LawKind law, EventSink* sink,
                       Watcher* watcher) {
  Machine machine(equip(scenario, law), seed);
  Judge judge(machine.scenario(), law, sink, watcher);
  machine.set_watcher(&judge);
  const GovernorOptions options{.policy = make_policy_config(scenario), .law = make_law(law)};
  Governor governor(options, machine, machine.pools(), machine, judge);
  while (!machine.ended()) {
    governor.step();
    const Requests requests = machine.take_requests();
    if (requests.give_back) governor.ask_give_back();
    if (requests.toggle_pause) governor.toggle_pause();
  }
  RunReport report{.seed = seed, .law = law};
  report.simulated_s = static_cast<double>(machine.totals().simulated_us) * 1e-6;
  judge.finish(report);
  return report;
}

}  // namespace kvpsi
