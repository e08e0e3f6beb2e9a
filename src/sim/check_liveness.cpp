// SPDX-License-Identifier: MIT
// After the pressure the cache is whole again; see checker.h.
#include <fmt/format.h>

#include <optional>

#include "base/bytes.h"
#include "sim/checker.h"

namespace kvpsi {
namespace {

class LivenessChecker final : public Checker {
 public:
  explicit LivenessChecker(const Scenario& scenario) : scenario_(scenario) {}

  void on_instant(const Instant& now) override {
    t_s_ = now.t_s();
    is_alive_ = now.engine_alive;
    if (!is_due() || now.budget_bytes >= now.kv_context_bytes) return;
    note(bounded_, fmt::format("growth is still bounded to {:.1f} of {:.1f} MiB, {:.0f} s after "
                               "relief",
                               to_mib(now.budget_bytes), to_mib(now.kv_context_bytes),
                               t_s_ - *scenario_.expect.relief_s));
  }

  void on_tick(const Tick& tick) override {
    if (is_due() && tick.decision.level != Level::calm) {
      note(level_, fmt::format("the level is still {}", name(tick.decision.level)));
    }
  }

  void finish(std::vector<Violation>& out) override {
    if (bounded_) out.push_back(*bounded_);
    if (level_) out.push_back(*level_);
  }

 private:
  bool is_due() const {
    const ExpectSpec& expect = scenario_.expect;
    return is_alive_ && expect.relief_s && t_s_ > *expect.relief_s + expect.settle_s;
  }
  void note(std::optional<Violation>& into, std::string what) const {
    if (!into) into = Violation{"liveness", t_s_, std::move(what)};
  }

  const Scenario scenario_;
  double t_s_ = 0;
  bool is_alive_ = true;
  std::optional<Violation> bounded_, level_;
};

}  // namespace

std::unique_ptr<Checker> make_liveness_checker(const Scenario& scenario) {
  return std::make_unique<LivenessChecker>(scenario);
}

}  // namespace kvpsi
