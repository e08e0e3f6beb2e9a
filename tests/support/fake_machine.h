// SPDX-License-Identifier: MIT
// A machine for tests: one memory-limited group with an engine (mapped weights, base, KV, scratch)
// and a neighbour, behind the governor's real ports. Time moves only inside wait(). The thrash
// model is a cliff, as measured on a kernel: while the group's wanted memory does not fit, both
// stall for almost half of the time; once it fits, what was evicted is read back and all is well.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "govern/governor.h"
#include "govern/ports.h"

namespace kvpsi::test {

/// Settings of the machine. Change them at any time between two steps of the governor.
struct MachineSettings {
  // The group.
  std::uint64_t limit_bytes = 512 * kMiB;
  std::uint64_t weights_bytes = 94 * kMiB;     ///< mapped, needed by every token
  std::uint64_t hidden_file_bytes = 0;         ///< file pages that nobody declares: text, libraries
  std::uint64_t cold_file_bytes = 0;           ///< page cache nobody needs: fills the group
  std::uint64_t base_bytes = 15 * kMiB;        ///< anonymous, of the engine
  std::uint64_t neighbour_bytes = 100 * kMiB;  ///< anonymous, hot
  double cliff_stall = 0.45;                   ///< share of time stalled while memory is short
  double read_back_bytes_per_s = 300.0 * static_cast<double>(kMiB);
  // The engine.
  std::uint64_t bytes_per_token = 23'040;
  double tokens_per_s = 30;
  bool decoding = true;
  std::uint64_t floor_tokens = 320;          ///< --keep + --tail
  std::uint64_t scratch_bytes = 300 * kKiB;  ///< comes back with every decode
  // Others, outside of what the model moves.
  double foreign_stall = 0;    ///< share of time the parent's other tasks stall
  bool machine_scans = false;  ///< system-wide reclaim goes on
  std::uint64_t mem_available_bytes = 8 * kGiB;
  bool psi_present = true;
  bool pools_refuse = false;                   ///< release and trim give nothing back
  std::uint64_t release_bytes_per_budget = 0;  ///< 0 = a release is never cut short
};

class FakeMachine : public PressureSource, public Clock {
 public:
  explicit FakeMachine(const MachineSettings& settings = {}) : set(settings) {
    weights_resident_ = set.weights_bytes;
  }

  MachineSettings set;
  std::uint64_t kv_live_bytes = 0;
  std::uint64_t kv_resident_bytes = 0;
  std::uint64_t scratch_resident_bytes = 14 * kMiB;
  std::uint64_t heap_free_bytes = 0;
  std::function<void(std::uint64_t now_us)> each_step;  ///< lets a test script the machine

  // What happened, for tests to look at.
  std::uint64_t stall_us() const { return own_stall_us_; }
  std::uint64_t tokens() const { return tokens_; }
  std::uint64_t oom_kills() const { return oom_kills_; }
  std::vector<std::uint64_t> trims_bytes;  ///< each trim that was carried out
  std::vector<std::uint64_t> trims_t_us;
  std::uint64_t releases = 0;
  std::uint64_t last_wait_us = 0;

  std::vector<MemoryPool*> pools() { return {&kv_, &scratch_, &heap_}; }

  Wake wait(std::uint64_t timeout_us) override {
    last_wait_us = timeout_us;
    for (std::uint64_t passed = 0; passed < timeout_us && !woken_; passed += kStepUs) advance();
    const Wake why = woken_ ? Wake::asked : Wake::timeout;
    woken_ = false;
    return why;
  }
  void wake() override { woken_ = true; }
  std::uint64_t now_us() override { return now_us_; }

  Sample sample() override {
    Sample s;
    s.t_us = now_us_;
    if (set.psi_present) {
      s.psi_own = PsiTotals{own_stall_us_, own_stall_us_ * 3 / 4};
      s.psi_parent = PsiTotals{own_stall_us_ + foreign_stall_us_, own_stall_us_ / 2};
      s.psi_system = PsiTotals{(own_stall_us_ + foreign_stall_us_) / 2, own_stall_us_ / 4};
    }
    s.mem_total_bytes = 16 * kGiB;
    s.mem_available_bytes = set.mem_available_bytes;
    s.group_limit_bytes = set.limit_bytes;
    s.group_usage_bytes = anon_bytes() + file_bytes();
    s.group_file_bytes = file_bytes();
    s.group_limit_hits_total = limit_hits_;
    s.group_oom_kills_total = oom_kills_;
    s.system_scan_pages_total = scan_pages_;
    s.own_anon_bytes = own_anon_bytes();
    s.own_file_bytes = weights_resident_;
    s.own_file_wanted_bytes = set.weights_bytes;
    s.own_major_faults_total = major_faults_;
    return s;
  }

  /// Bytes by which the wanted memory exceeds the limit; negative = spare.
  std::int64_t short_bytes() const {
    return static_cast<std::int64_t>(anon_bytes() + wanted_file_bytes()) -
           static_cast<std::int64_t>(set.limit_bytes);
  }

 private:
  static constexpr std::uint64_t kStepUs = 10'000;

  std::uint64_t own_anon_bytes() const {
    return set.base_bytes + kv_resident_bytes + scratch_resident_bytes + heap_free_bytes;
  }
  std::uint64_t anon_bytes() const { return own_anon_bytes() + set.neighbour_bytes; }
  std::uint64_t wanted_file_bytes() const { return set.weights_bytes + set.hidden_file_bytes; }
  std::uint64_t file_bytes() const {
    const std::uint64_t room = set.limit_bytes > anon_bytes() ? set.limit_bytes - anon_bytes() : 0;
    return std::min(room, set.hidden_file_bytes + weights_resident_ + set.cold_file_bytes);
  }

  void advance() {
    now_us_ += kStepUs;
    if (each_step) each_step(now_us_);
    const double stalled = advance_files();
    const auto stall_us = static_cast<std::uint64_t>(stalled * kStepUs);
    own_stall_us_ += stall_us;
    foreign_stall_us_ += static_cast<std::uint64_t>(set.foreign_stall * kStepUs);
    if (set.foreign_stall > 0) scan_pages_ += 500;  // the machine is full, not the limit
    // A group full of page cache hits its limit with every file page and every token.
    if (anon_bytes() + file_bytes() >= set.limit_bytes) limit_hits_ += 1;
    if (anon_bytes() > set.limit_bytes) ++oom_kills_;  // nothing left to reclaim
    if (set.machine_scans) scan_pages_ += 500;
    if (set.decoding) decode(1 - stalled);
  }

  /// Evicts or reads back weights; returns the share of this step lost to stall.
  double advance_files() {
    const std::uint64_t room = set.limit_bytes > anon_bytes() + set.hidden_file_bytes
                                   ? set.limit_bytes - anon_bytes() - set.hidden_file_bytes
                                   : 0;
    if (short_bytes() > 0) {
      // Whatever fits is resident, but never the page that is wanted next.
      weights_resident_ = std::min(set.weights_bytes, room);
      major_faults_ += 20;
      limit_hits_ += 10;
      return set.cliff_stall;
    }
    if (weights_resident_ < set.weights_bytes) {
      weights_resident_ += static_cast<std::uint64_t>(set.read_back_bytes_per_s * kStepUs * 1e-6);
      weights_resident_ = std::min(weights_resident_, set.weights_bytes);
      major_faults_ += 5;
      return set.cliff_stall;
    }
    return 0;
  }

  void decode(double speed) {
    progress_ += set.tokens_per_s * speed * kStepUs * 1e-6;
    while (progress_ >= 1) {
      progress_ -= 1;
      ++tokens_;
      kv_.run_queued();
      kv_live_bytes += set.bytes_per_token;
      kv_resident_bytes = std::max(kv_resident_bytes, kv_live_bytes);
      scratch_resident_bytes = std::max(scratch_resident_bytes, set.scratch_bytes);
    }
  }

  /// A pool that releases at once. `resident` and `live` are members of the machine.
  struct PlainPool : MemoryPool {
    PlainPool(FakeMachine& machine, PoolKind kind, std::uint64_t FakeMachine::* resident)
        : machine_(machine), kind_(kind), resident_(resident) {}
    PoolKind kind() const override { return kind_; }
    PoolView view() override {
      PoolView view;
      view.kind = kind_;
      view.t_us = machine_.now_us_;
      view.resident_bytes = view.releasable_bytes = machine_.*resident_;
      view.granule_bytes = 4096;
      return view;
    }
    Outcome apply(const Action& action) override {
      Outcome outcome{.decision_id = action.decision_id, .verb = action.verb, .pool = kind_};
      outcome.t_us = machine_.now_us_;
      if (action.verb != Verb::release || machine_.set.pools_refuse) {
        outcome.status = Status::failed;
        outcome.errno_value = 95;
        return outcome;
      }
      ++machine_.releases;
      outcome.bytes_released = machine_.*resident_;
      outcome.status = outcome.bytes_released > 0 ? Status::done : Status::nothing;
      machine_.*resident_ = 0;
      return outcome;
    }
    void drain(Outcomes&) override {}

    FakeMachine& machine_;
    const PoolKind kind_;
    std::uint64_t FakeMachine::* resident_;
  };

  /// KV cells: releases at once, trims when the engine comes to its next token.
  struct KvPool : MemoryPool {
    explicit KvPool(FakeMachine& machine) : machine_(machine) {}
    PoolKind kind() const override { return PoolKind::kv; }
    PoolView view() override {
      PoolView view;
      view.kind = PoolKind::kv;
      view.t_us = machine_.now_us_;
      view.live_bytes = machine_.kv_live_bytes;
      view.resident_bytes = machine_.kv_resident_bytes;
      view.releasable_bytes = machine_.kv_resident_bytes - machine_.kv_live_bytes;
      view.trimmable_bytes = view.live_bytes > floor() ? view.live_bytes - floor() : 0;
      view.bytes_per_cell = machine_.set.bytes_per_token;
      view.cells_live = view.live_bytes / view.bytes_per_cell;
      view.granule_bytes = 60 * 4096;
      return view;
    }
    Outcome apply(const Action& action) override {
      Outcome outcome{.decision_id = action.decision_id, .verb = action.verb, .pool = kind()};
      outcome.t_us = machine_.now_us_;
      if (action.verb == Verb::trim) {
        queued_.push_back(action);
        outcome.status = Status::queued;
        return outcome;
      }
      ++machine_.releases;
      std::uint64_t bytes = machine_.kv_resident_bytes - machine_.kv_live_bytes;
      const std::uint64_t most = machine_.set.release_bytes_per_budget;
      const bool cut = most != 0 && bytes > most;
      if (cut) bytes = most;
      if (machine_.set.pools_refuse) bytes = 0;
      machine_.kv_resident_bytes -= bytes;
      outcome.bytes_released = bytes;
      outcome.status = cut ? Status::more : bytes > 0 ? Status::done : Status::nothing;
      return outcome;
    }
    void drain(Outcomes& ended) override {
      while (!ended_.empty() && ended.push_back(ended_.front())) ended_.erase(ended_.begin());
    }
    void run_queued() {
      for (const Action& action : queued_) {
        const std::uint64_t live = machine_.kv_live_bytes;
        std::uint64_t bytes = std::min(action.bytes, live > floor() ? live - floor() : 0);
        bytes -= bytes % machine_.set.bytes_per_token;
        Outcome outcome{.decision_id = action.decision_id, .verb = Verb::trim, .pool = kind()};
        outcome.t_us = machine_.now_us_;
        outcome.tokens_trimmed = bytes / machine_.set.bytes_per_token;
        outcome.bytes_released = machine_.set.pools_refuse ? 0 : bytes;
        outcome.status = bytes > 0 ? Status::done : Status::nothing;
        machine_.kv_live_bytes -= bytes;
        if (!machine_.set.pools_refuse) machine_.kv_resident_bytes -= bytes;
        machine_.trims_bytes.push_back(bytes);
        machine_.trims_t_us.push_back(machine_.now_us_);
        ended_.push_back(outcome);
      }
      queued_.clear();
    }
    std::uint64_t floor() const { return machine_.set.floor_tokens * machine_.set.bytes_per_token; }

    FakeMachine& machine_;
    std::vector<Action> queued_;
    std::vector<Outcome> ended_;
  };

  std::uint64_t now_us_ = 1'000'000;
  std::uint64_t own_stall_us_ = 0;
  std::uint64_t foreign_stall_us_ = 0;
  std::uint64_t limit_hits_ = 0;
  std::uint64_t oom_kills_ = 0;
  std::uint64_t scan_pages_ = 0;
  std::uint64_t major_faults_ = 0;
  std::uint64_t weights_resident_ = 0;
  std::uint64_t tokens_ = 0;
  double progress_ = 0;
  bool woken_ = false;
  KvPool kv_{*this};
  PlainPool scratch_{*this, PoolKind::scratch, &FakeMachine::scratch_resident_bytes};
  PlainPool heap_{*this, PoolKind::heap, &FakeMachine::heap_free_bytes};
};

/// Keeps every tick, and room for them beforehand so that it allocates nothing later.
class TickLog : public EventSink {
 public:
  explicit TickLog(std::size_t room = 4096) { ticks.reserve(room); }
  void on_tick(const Tick& tick) override { ticks.push_back(tick); }
  std::vector<Tick> ticks;
};

/// A squeeze that only trimming ends: hidden file pages of others, 46 MiB of live KV, a tight
/// limit.
inline void make_lossy_squeeze(FakeMachine& machine) {
  machine.set.limit_bytes = 240 * kMiB;
  machine.set.hidden_file_bytes = 10 * kMiB;
  machine.kv_live_bytes = machine.kv_resident_bytes = 46 * kMiB;
}

/// What a governor with this configuration makes of it until then.
inline std::vector<Tick> record_lossy_squeeze(const PolicyConfig& config, std::uint64_t until_us) {
  FakeMachine machine;
  make_lossy_squeeze(machine);
  std::vector<MemoryPool*> pools = machine.pools();
  GovernorOptions options;
  options.policy = config;
  TickLog log;
  Governor governor(options, machine, pools, machine, log);
  while (machine.now_us() < until_us) governor.step();
  return log.ticks;
}

}  // namespace kvpsi::test
