// SPDX-License-Identifier: MIT
// The budget does not flap; see checker.h.
#include <fmt/format.h>

#include <deque>
#include <limits>
#include <optional>

#include "sim/checker.h"

namespace kvpsi {
namespace {

constexpr std::size_t kTurnsAMinute = 2;
constexpr double kMinuteS = 60;

class StabilityChecker final : public Checker {
 public:
  void on_instant(const Instant& now) override {
    t_s_ = static_cast<double>(now.scenario_us) * 1e-6;
    const std::uint64_t budget = now.budget_bytes;
    if (budget == budget_) return;
    const bool rises = budget > budget_;
    budget_ = budget;
    turn(rises);
  }

  void on_tick(const Tick& tick) override {
    for (const Outcome& outcome : tick.observation.outcomes) {
      if (outcome.verb == Verb::trim && outcome.tokens_trimmed > 0) turn(false);
    }
  }

  void finish(std::vector<Violation>& out) override {
    if (found_) out.push_back(*found_);
  }

 private:
  void turn(bool rises) {
    if (rises == rises_) return;
    rises_ = rises;
    turns_s_.push_back(t_s_);
    while (turns_s_.front() < t_s_ - kMinuteS) turns_s_.pop_front();
    if (turns_s_.size() <= kTurnsAMinute || found_) return;
    found_ =
        Violation{"stability", t_s_,
                  fmt::format("the size allowed changed its direction {} times within a minute",
                              turns_s_.size())};
  }

  double t_s_ = 0;
  std::uint64_t budget_ = std::numeric_limits<std::uint64_t>::max();
  bool rises_ = true;  ///< unbounded at first: the first cut is a turn
  std::deque<double> turns_s_;
  std::optional<Violation> found_;
};

}  // namespace

std::unique_ptr<Checker> make_stability_checker() { return std::make_unique<StabilityChecker>(); }

}  // namespace kvpsi
