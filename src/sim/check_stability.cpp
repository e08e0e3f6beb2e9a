// SPDX-License-Identifier: MIT
// The budget does not flap, nor do rows between memory and disk; see checker.h.
#include <fmt/format.h>

#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "sim/checker.h"

namespace kvpsi {
namespace {

constexpr std::size_t kTurnsAMinute = 2;
constexpr double kMinuteS = 60;

enum class Direction : std::uint8_t { none, up, down };

/// Something that moves up and down, and how often it turned within the last minute.
class Turns {
 public:
  explicit Turns(std::string what) : what_(std::move(what)) {}

  void move(Direction direction, double t_s) {
    // What has stood still for a minute has no direction any more.
    const bool turns =
        direction_ != Direction::none && direction != direction_ && t_s - moved_s_ < kMinuteS;
    direction_ = direction;
    moved_s_ = t_s;
    if (!turns) return;
    turns_s_.push_back(t_s);
    while (turns_s_.front() < t_s - kMinuteS) turns_s_.pop_front();
    if (turns_s_.size() <= kTurnsAMinute || found_) return;
    found_ = Violation{
        "stability", t_s,
        fmt::format("{} changed its direction {} times within a minute", what_, turns_s_.size())};
  }

  void finish(std::vector<Violation>& out) const {
    if (found_) out.push_back(*found_);
  }

 private:
  const std::string what_;
  Direction direction_ = Direction::none;
  double moved_s_ = 0;
  std::deque<double> turns_s_;
  std::optional<Violation> found_;
};

class StabilityChecker final : public Checker {
 public:
  void on_instant(const Instant& now) override {
    t_s_ = now.t_s();
    const std::uint64_t budget = now.budget_bytes;
    if (budget == budget_) return;
    const auto direction = budget > budget_ ? Direction::up : Direction::down;
    budget_ = budget;
    size_.move(direction, t_s_);
  }

  void on_tick(const Tick& tick) override {
    for (const Action& action : tick.decision.actions) {
      if (action.verb == Verb::restore) disk_.move(Direction::up, t_s_);
      const bool trims = action.verb == Verb::trim;
      if (trims || action.verb == Verb::spill) disk_.move(Direction::down, t_s_);
      // To make room for new work, or to stay below the cap, is to slide within a size, not to
      // shrink.
      if (trims && tick.decision.reason == Reason::need) size_.move(Direction::down, t_s_);
    }
  }

  void finish(std::vector<Violation>& out) override {
    size_.finish(out);
    disk_.finish(out);
  }

 private:
  double t_s_ = 0;
  std::uint64_t budget_ = std::numeric_limits<std::uint64_t>::max();
  Turns size_{"the size allowed"};
  Turns disk_{"what is asked to leave memory and to come back"};
};

}  // namespace

std::unique_ptr<Checker> make_stability_checker() { return std::make_unique<StabilityChecker>(); }

}  // namespace kvpsi
