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
    const bool is_over = scenario_.expect.relief_s && t_s_ > *scenario_.expect.relief_s;
    is_back_ = is_over && (is_back_ || now.kv_on_disk_bytes == 0);
    disk_gives_ = now.disk_gives;
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
    const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
    if (!is_due() || is_back_ || !disk_gives_ || kv == nullptr || !has_room(*kv, tick)) return;
    note(away_, fmt::format("{:.1f} MiB are still on disk, {:.0f} s after relief",
                            to_mib(kv->spilled_bytes), t_s_ - *scenario_.expect.relief_s));
  }

  void finish(std::vector<Violation>& out) override {
    if (bounded_) out.push_back(*bounded_);
    if (level_) out.push_back(*level_);
    if (away_) out.push_back(*away_);
  }

 private:
  bool is_due() const {
    const ExpectSpec& expect = scenario_.expect;
    return is_alive_ && expect.relief_s && t_s_ > *expect.relief_s + expect.settle_s;
  }
  /// For all that is on disk, beside a full reserve, the work that waits and what a cap keeps free.
  bool has_room(const PoolView& kv, const Tick& tick) const {
    const auto free_cells = static_cast<double>(kv.cells_total - kv.cells_live);
    const double left = static_cast<double>(tick.signal.headroom_bytes) -
                        static_cast<double>(tick.signal.reserve_high_bytes) -
                        static_cast<double>(kv.spilled_bytes + kv.waiting_bytes);
    return left > static_cast<double>(2 * kMiB) && scenario_.engine.kv_max_bytes == 0 &&
           free_cells * static_cast<double>(kv.bytes_per_cell) >
               static_cast<double>(kv.trimmed_bytes + kv.waiting_bytes);
  }
  void note(std::optional<Violation>& into, std::string what) const {
    if (!into) into = Violation{"liveness", t_s_, std::move(what)};
  }

  const Scenario scenario_;
  double t_s_ = 0;
  bool is_alive_ = true;
  bool is_back_ = false;  ///< nothing was on disk at some time after relief
  bool disk_gives_ = true;
  std::optional<Violation> bounded_, level_, away_;
};

}  // namespace

std::unique_ptr<Checker> make_liveness_checker(const Scenario& scenario) {
  return std::make_unique<LivenessChecker>(scenario);
}

}  // namespace kvpsi
