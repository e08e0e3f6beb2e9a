// SPDX-License-Identifier: MIT
// PSI triggers: file descriptors that the kernel signals when stall passes a threshold within a
// window. A trigger says when to look, never how bad it is (without privilege all thresholds fire
// on the same 2 s tick); the totals say that. A trigger's descriptor is never read.
// Source: Documentation/accounting/psi.rst, kernel/sched/psi.c.
#pragma once

#include <string>
#include <string_view>

#include "base/fixed_vector.h"
#include "base/result.h"
#include "linux/fd.h"

namespace kvpsi {

/// Opens `path` and registers one trigger such as "some 50000 1000000" (stall and window in us).
/// One descriptor holds one trigger; closing it takes it back. Writes the text with its NUL, since
/// the kernel overwrites the last byte with one.
/// Errors: not_found (no PSI), permission (not delegated, or an old kernel without privilege),
/// invalid_argument (EINVAL: the window needs CAP_SYS_RESOURCE), unsupported (psi=0), busy (EBUSY:
/// the descriptor had a trigger already), io.
Result<UniqueFd> open_psi_trigger(const std::string& path, std::string_view text);

/// The triggers of one pressure file.
struct ArmedTriggers {
  UniqueFd some;
  UniqueFd full;
  /// What was granted, for people: "some 50 ms and full 50 ms in 1 s"; empty where polling rules.
  std::string granted;
  std::string reason;       ///< why not more: empty for the privileged windows
  bool privileged = false;  ///< windows below 2 s were granted

  bool is_armed() const { return some.is_open(); }
};

/// Asks for the privileged windows (50 ms in 1 s), then for those that anybody may have (100 ms in
/// 2 s; the kernel accepts only multiples of 2 s without CAP_SYS_RESOURCE), else leaves it at
/// polling. Never fails; `reason` says what was refused.
ArmedTriggers arm_psi_triggers(const std::string& path);

}  // namespace kvpsi
