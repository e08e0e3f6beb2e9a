// SPDX-License-Identifier: MIT
// PSI as the kernel accounts it: totals of our group, its parent and the machine, and triggers that
// are looked at every 2 s. Must not decide who stalls: memory_model.h does. Next hop: machine.cpp.
#pragma once

#include <cstdint>
#include <optional>

#include "base/prng.h"
#include "model/sample.h"

namespace kvpsi {

/// Shares of one step, 0..1, in which some task stalled.
struct Stalls {
  double own = 0;
  double group_others = 0;     ///< others below our limit
  double outside = 0;          ///< the rest of the machine
  bool group_works = false;    ///< others below our limit keep a CPU busy
  bool outside_works = false;  ///< so does the rest of the machine
};

/// Totals start at random values, as on a machine that has run for a while.
class PressureModel {
 public:
  PressureModel(Prng& prng, std::uint64_t cpus, bool is_present, bool has_parent);

  /// Gives each group its own phase of the kernel's 2 s tick.
  void start(std::uint64_t now_us, Prng& prng);

  /// Accounts one step that ends at now_us. True when a trigger fires at its end.
  bool add(const Stalls& stalls, std::uint64_t now_us, std::uint64_t dt_us);

  /// Fills in the three pairs; leaves them empty while the files are gone.
  void fill(Sample& sample) const;

  void vanish() { is_present_ = false; }
  void return_from_zero();
  /// Counters start from 0.
  void reset();

 private:
  struct Account {
    double some = 0;  ///< microseconds; fractions of steps would be lost in integers
    double full = 0;
    double some_at_tick = 0;
    std::uint64_t next_tick_us = 0;
  };
  static void account(Account& account, double some_us);
  static bool tick(Account& account, std::uint64_t now_us);
  static PsiTotals totals(const Account& account);

  Account own_;
  Account parent_;
  Account system_;
  const double cpus_;
  bool is_present_;
  const bool has_parent_;
};

}  // namespace kvpsi
