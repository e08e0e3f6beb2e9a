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
    t_s_ = now.t_s();
    const std::uint64_t budget = now.budget_bytes;
    if (budget == budget_) return;
    const auto direction = budget > budget_ ? Direction::up : Direction::down;
    budget_ = budget;
    move(direction);
  }

  void on_tick(const Tick& tick) override {
    // To make room for new work, or to stay below the cap, is to slide within a size, not to
    // shrink.
    if (tick.decision.reason != Reason::need) return;
    for (const Action& action : tick.decision.actions) {
      if (action.verb == Verb::trim) move(Direction::down);
    }
  }

  void finish(std::vector<Violation>& out) override {
    if (found_) out.push_back(*found_);
  }

 private:
  enum class Direction : std::uint8_t { none, up, down };

  void move(Direction direction) {
    // What has stood still for a minute has no direction any more.
    const bool turns =
        direction_ != Direction::none && direction != direction_ && t_s_ - moved_s_ < kMinuteS;
    direction_ = direction;
    moved_s_ = t_s_;
    if (!turns) return;
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
  Direction direction_ = Direction::none;
  double moved_s_ = 0;
  std::deque<double> turns_s_;
  std::optional<Violation> found_;
};

}  // namespace

std::unique_ptr<Checker> make_stability_checker() { return std::make_unique<StabilityChecker>(); }

}  // namespace kvpsi
