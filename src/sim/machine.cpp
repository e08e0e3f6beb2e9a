// SPDX-License-Identifier: MIT
// The order of one step: events, engine, memory, pressure, whoever watches; see machine.h.
#include "sim/machine.h"

#include <algorithm>

#include "policy/arith.h"
#include "sim/constants.h"

namespace kvpsi {
namespace {

/// Machines have been up for a while when a run starts.
std::uint64_t start_time(Prng& prng) { return 1'000'000 + prng.below(1'000'000'000); }

std::uint64_t to_us(double seconds) { return to_bytes(seconds * 1e6); }

/// A cheap order-dependent mix: the digest is taken 50 times a simulated second.
void mix(std::uint64_t& digest, std::uint64_t value) {
  digest = (digest ^ value) * 0x9e3779b97f4a7c15ULL;
  digest ^= digest >> 29;
}

}  // namespace

Machine::Machine(const Scenario& scenario, std::uint64_t seed)
    : scenario_(vary_scenario(scenario, seed)),
      prng_(seed ^ 0x6d616368696e65ULL),
      now_us_(start_time(prng_)),
      disk_(scenario_.disk),
      engine_(scenario_.engine, scenario_.workload),
      memory_(scenario_, prng_),
      pressure_(prng_, scenario_.machine.cpus, scenario_.machine.has_psi,
                scenario_.group.limit_bytes.has_value()),
      kv_pool_(engine_, now_us_, &disk_),
      scratch_pool_(engine_, now_us_),
      pool_list_{&kv_pool_, &scratch_pool_} {
  engine_.set_disk(&disk_);
  pressure_.start(now_us_, prng_);
  // The memory model shows numbers before the first step too.
  memory_.advance(0, 0, engine_.memory());
}

bool Machine::ended() const {
  return memory_.is_engine_killed() || scenario_us_ >= to_us(scenario_.duration_s);
}

Requests Machine::take_requests() {
  const Requests requests = requests_;
  requests_ = {};
  return requests;
}

Wake Machine::wait(std::uint64_t timeout_us) {
  std::uint64_t passed_us = 0;
  while (passed_us < timeout_us && !woken_ && !ended()) {
    const std::uint64_t dt_us = std::min(kMachine.step_us, timeout_us - passed_us);
    passed_us += dt_us;
    if (advance(dt_us) && !woken_) return Wake::trigger;
  }
  const Wake why = woken_ ? Wake::asked : Wake::timeout;
  woken_ = false;
  return why;
}

bool Machine::advance(std::uint64_t dt_us) {
  now_us_ += dt_us;
  scenario_us_ += dt_us;
  run_events();
  const double t_s = static_cast<double>(scenario_us_) * 1e-6;
  const double dt_s = static_cast<double>(dt_us) * 1e-6;
  engine_.advance(t_s, dt_s, memory_.speed(), *this);
  const Stalls stalls = memory_.advance(t_s, dt_s, engine_.memory());
  const bool fires = pressure_.add(stalls, now_us_, dt_us);
  tell(stalls, dt_us);
  return fires;
}

void Machine::at_safe_point() {
  kv_pool_.serve();
  scratch_pool_.serve();
}

void Machine::run_events() {
  while (next_event_ < scenario_.events.size() &&
         scenario_us_ >= to_us(scenario_.events[next_event_].at_s)) {
    run_event(scenario_.events[next_event_++]);
  }
}

void Machine::run_event(const EventSpec& event) {
  switch (event.kind) {
    case EventKind::limit:
      memory_.set_limit(event.bytes);
      break;
    case EventKind::psi_vanishes:
      pressure_.vanish();
      break;
    case EventKind::psi_returns:
      pressure_.return_from_zero();
      break;
    case EventKind::counter_reset:
      pressure_.reset();
      memory_.reset_counters();
      break;
    case EventKind::clock_jump:
      now_us_ += to_us(event.seconds);
      break;
    case EventKind::suspend:
      scenario_us_ += to_us(event.seconds);
      break;
    case EventKind::pools_refuse:
    case EventKind::pools_obey:
      kv_pool_.set_refusing(event.kind == EventKind::pools_refuse);
      scratch_pool_.set_refusing(event.kind == EventKind::pools_refuse);
      break;
    case EventKind::disk_full:
    case EventKind::disk_broken:
    case EventKind::disk_works:
      disk_.set_full(event.kind == EventKind::disk_full);
      disk_.set_broken(event.kind == EventKind::disk_broken);
      break;
    case EventKind::disk_rate:
      disk_.set_rate(static_cast<double>(event.bytes.value_or(1)));
      break;
    case EventKind::give_back:
      requests_.give_back = true;
      woken_ = true;
      break;
    case EventKind::pause:
    case EventKind::resume:
      if ((event.kind == EventKind::pause) != is_paused_) {
        is_paused_ = !is_paused_;
        requests_.toggle_pause = !requests_.toggle_pause;
      }
      woken_ = true;
      break;
  }
}

Sample Machine::sample() {
  Sample sample;
  sample.t_us = now_us_;
  pressure_.fill(sample);
  memory_.fill(sample);
  return sample;
}

void Machine::tell(const Stalls& stalls, std::uint64_t dt_us) {
  const auto dt = static_cast<double>(dt_us);
  Instant instant;
  instant.t_us = now_us_;
  instant.scenario_us = scenario_us_;
  instant.dt_us = dt_us;
  instant.headroom_bytes = memory_.headroom_bytes();
  if (instant.headroom_bytes < 0) {
    instant.shortage_bytes = static_cast<std::uint64_t>(-instant.headroom_bytes);
  }
  instant.own_stall_us = to_bytes(stalls.own * dt);
  instant.others_stall_us = to_bytes(std::max(stalls.group_others, stalls.outside) * dt);
  instant.kv_live_bytes = engine_.live_bytes();
  instant.kv_resident_bytes = engine_.kv_resident_bytes();
  instant.kv_full_bytes = engine_.full_bytes();
  instant.kv_context_bytes = engine_.context_bytes();
  instant.budget_bytes = engine_.budget_bytes();
  instant.tokens_decoded = engine_.tokens_decoded();
  instant.tokens_lost = engine_.tokens_lost();
  instant.kv_on_disk_bytes = engine_.on_disk_bytes();
  instant.disk_takes = kv_pool_.disk_room_bytes() > 0;
  instant.disk_gives = disk_.is_present() && !disk_.is_broken();
  instant.oom_kills = memory_.oom_kills();
  instant.engine_alive = !memory_.is_engine_killed();
  Wide room = Wide{instant.headroom_bytes} + instant.kv_resident_bytes - instant.kv_full_bytes -
              memory_.wanted_bytes();
  // Weights at rest are wanted again with the next request.
  if (!engine_.is_busy()) room -= scenario_.engine.mapped_weights_bytes();
  instant.pressed = room < 0;

  ++totals_.steps;
  totals_.simulated_us = scenario_us_;
  totals_.own_stall_us += instant.own_stall_us;
  totals_.others_stall_us += instant.others_stall_us;
  totals_.tokens_decoded = instant.tokens_decoded;
  totals_.tokens_prefilled = engine_.tokens_prefilled();
  totals_.tokens_trimmed = engine_.tokens_trimmed();
  totals_.tokens_lost = instant.tokens_lost;
  totals_.tokens_faulted = engine_.tokens_faulted();
  totals_.turns_ended = engine_.turns_ended();
  totals_.bytes_released = kv_pool_.bytes_released() + scratch_pool_.bytes_released();
  totals_.oom_kills = instant.oom_kills;
  totals_.engine_killed = !instant.engine_alive;
  mix(totals_.digest, now_us_);
  mix(totals_.digest, instant.kv_resident_bytes ^ instant.own_stall_us);
  mix(totals_.digest, static_cast<std::uint64_t>(instant.headroom_bytes));
  if (watcher_ != nullptr) watcher_->on_instant(instant);
}

}  // namespace kvpsi
