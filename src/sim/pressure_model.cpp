// SPDX-License-Identifier: MIT
// Accounting of stalls; see pressure_model.h.
#include "sim/pressure_model.h"

#include <algorithm>

#include "sim/constants.h"

namespace kvpsi {

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
  // The kernel weighs each CPU by its time that is not idle, so one stalled task beside one that
  // works counts half (measured in S2: own 0.34, parent and system 0.17).
  const double in_group = std::min(cpus_, 1.0 + (stalls.group_works ? 1 : 0));
  const double in_system = std::min(cpus_, in_group + (stalls.outside_works ? 1 : 0));
  const double group = std::min(1.0, (stalls.own + stalls.group_others) / in_group);
  const double all = stalls.own + stalls.group_others + stalls.outside;
  account(own_, stalls.own * dt);
  account(parent_, group * dt);
  account(system_, std::min(1.0, all / in_system) * dt);
  const bool own_fires = tick(own_, now_us);
  const bool parent_fires = tick(parent_, now_us) && has_parent_;
  const bool system_fires = tick(system_, now_us);
  return is_present_ && (own_fires || parent_fires || system_fires);
}

void PressureModel::account(Account& account, double some_us) {
  account.some += some_us;
  account.full += some_us * kMachine.full_share;
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
