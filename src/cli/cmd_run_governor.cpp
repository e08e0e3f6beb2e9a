// SPDX-License-Identifier: MIT
// See cmd_run_governor.h.
#include "cli/cmd_run_governor.h"

namespace kvpsi {
namespace {

/// A run that is only recorded is sampled this often, so that its plot is as fine as the others'.
constexpr std::uint64_t kRecordWakeUs = 100'000;

}  // namespace

GovernorSetup make_governor_setup(const RunOptions& options) {
  GovernorSetup made;
  made.options.dry_run = !options.is_acting();
  PolicyConfig& policy = made.options.policy;
  policy.release_allowed = options.release;
  policy.trim_allowed = options.trim != TrimMode::off;
  policy.trim_for_room = options.trim == TrimMode::eager;
  policy.kv_min_bytes = options.kv_min_bytes;
  policy.kv_max_bytes = options.kv_max_bytes;
  if (!options.governor) {
    policy.calm_wake_us = kRecordWakeUs;
    policy.watch_wake_us = kRecordWakeUs;
  }
  made.enabled = options.governor;
  made.soft_max_bytes = options.kv_soft_max_bytes;
  made.journal = options.journal;
  made.psi_own = options.psi_own;
  made.psi_parent = options.psi_parent;
  made.psi_system = options.psi_system;
  return made;
}

}  // namespace kvpsi
