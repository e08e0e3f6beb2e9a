// SPDX-License-Identifier: MIT
// See psi_trigger.h.
#include "linux/psi_trigger.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "linux/kernel_file.h"

namespace kvpsi {
namespace {

struct TriggerSet {
  const char* some;
  const char* full;
  const char* words;
};

// Without privilege the kernel looks at a trigger only when its averages are due (2 s), and a
// reader of the pressure file who comes first updates the averages without looking (psi_show).
// Measured: a reader each 20 ms delayed the event from 2 s to 8 s or for good. So whoever samples
// quickly must not count on the trigger; it is there for the quiet times between samples.
constexpr TriggerSet kPrivileged = {"some 50000 1000000", "full 50000 1000000",
                                    "some 50 ms and full 50 ms in 1 s"};
constexpr TriggerSet kForAnybody = {"some 100000 2000000", "full 100000 2000000",
                                    "some 100 ms and full 100 ms in 2 s"};

ErrorCode trigger_error_code(int error) {
  if (error == EINVAL) return ErrorCode::invalid_argument;
  if (error == EBUSY) return ErrorCode::busy;
  return error_code_of(error);
}

Result<void> arm_set(const std::string& path, const TriggerSet& set, ArmedTriggers& armed) {
  auto some = open_psi_trigger(path, set.some);
  if (!some) return std::unexpected(some.error());
  auto full = open_psi_trigger(path, set.full);
  if (!full) return std::unexpected(full.error());
  armed.some = std::move(*some);
  armed.full = std::move(*full);
  armed.granted = set.words;
  return {};
}

}  // namespace

Result<UniqueFd> open_psi_trigger(const std::string& path, std::string_view text) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open()) {
    return fail(trigger_error_code(errno), "cannot be opened for a trigger", path, errno);
  }
  const std::string with_nul(text);
  ssize_t written = 0;
  do {
    written = ::write(fd.get(), with_nul.c_str(), with_nul.size() + 1);
  } while (written < 0 && errno == EINTR);
  if (written < 0) {
    return fail(trigger_error_code(errno), "refused the trigger '" + with_nul + "'", path, errno);
  }
  return fd;
}

ArmedTriggers arm_psi_triggers(const std::string& path) {
  ArmedTriggers armed;
  const auto first = arm_set(path, kPrivileged, armed);
  if (first) {
    armed.privileged = true;
    return armed;
  }
  const ErrorCode code = first.error().code;
  if (code != ErrorCode::invalid_argument && code != ErrorCode::permission) {
    armed.reason = describe(first.error());
    return armed;
  }
  const auto second = arm_set(path, kForAnybody, armed);
  armed.reason = second ? "no CAP_SYS_RESOURCE for shorter windows" : describe(second.error());
  return armed;
}

}  // namespace kvpsi
