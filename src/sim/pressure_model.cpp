// SPDX-License-Identifier: MIT
// Accounting of stalls; see pressure_model.h.
#include "sim/pressure_model.h"

#include <algorithm>

#include "sim/constants.h"

namespace kvpsi {
namespace {

/// Of two tasks that stall independently, at least one does.
double join(double a, double b) { return a + b - a * b; }

}  // namespace

PressureModel::PressureModel(Prng& prng, std::uint64_t cpus, bool is_present, bool has_parent)
    : cpus_(static_cast<double>(std::max<std::uint64_t>(cpus, 1))),
      is_present_(is_present),
      has_parent_(has_parent) {
  for (Account* account : {&own_, &parent_, &system_}) {
    account->some = account->some_at_tick = static_cast<double>(prng.below(50'000'000));
    account->full = account->some / 2;
  }
}

void PressureModel::start(std::uint64_t now_us, Prng& prng) {
  for (Account* account : {&own_, &parent_, &system_}) {
    account->next_tick_us = now_us + prng.below(kMachine.psi_tick_us);
  }
}

bool PressureModel::add(const Stalls& stalls, std::uint64_t now_us, std::uint64_t dt_us) {
  const auto dt = static_cast<double>(dt_us);
  const double group = join(stalls.own, stalls.group_others);
  const double everybody = join(group, stalls.outside);
  // The kernel weighs each CPU by its time that is not idle: on two busy CPUs one stalled task
  // counts half (measured: 3.99 s in the own group, 2.01 s system-wide).
  const double running = 1.0 + (stalls.group_others > 0 ? 1 : 0) + (stalls.outside > 0 ? 1 : 0);
  const double busy = std::min(cpus_, std::max(2.0, running));
  own_.some += stalls.own * dt;
  own_.full += stalls.own * kMachine.full_share * dt;
  parent_.some += group * dt;
  parent_.full += std::min(stalls.own, group) * kMachine.full_share * dt;
  system_.some += everybody / busy * dt;
  system_.full += stalls.own * stalls.outside / busy * dt;
  const bool own_fires = tick(own_, now_us);
  const bool parent_fires = tick(parent_, now_us) && has_parent_;
  const bool system_fires = tick(system_, now_us);
  return is_present_ && (own_fires || parent_fires || system_fires);
}

bool PressureModel::tick(Account& account, std::uint64_t now_us) {
  if (now_us < account.next_tick_us) return false;
  // After a leap of the clock the next one is due a whole window from now.
  account.next_tick_us += kMachine.psi_tick_us;
  if (account.next_tick_us <= now_us) account.next_tick_us = now_us + kMachine.psi_tick_us;
  const double grown = account.some - account.some_at_tick;
  account.some_at_tick = account.some;
  return grown >= static_cast<double>(kMachine.trigger_us);
}

PsiTotals PressureModel::totals(const Account& account) {
  return {static_cast<std::uint64_t>(account.some), static_cast<std::uint64_t>(account.full)};
}

void PressureModel::fill(Sample& sample) const {
  if (!is_present_) return;
  sample.psi_own = totals(own_);
  if (has_parent_) sample.psi_parent = totals(parent_);
  sample.psi_system = totals(system_);
}

void PressureModel::return_from_zero() {
  is_present_ = true;
  reset();
}

void PressureModel::reset() {
  for (Account* account : {&own_, &parent_, &system_}) {
    account->some = account->full = account->some_at_tick = 0;
  }
}

}  // namespace kvpsi
