// SPDX-License-Identifier: MIT
// See cmd_run_phases.h.
#include "cli/cmd_run_phases.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.h"
#include "cli/console.h"

namespace kvpsi {

PhaseLog::~PhaseLog() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> PhaseLog::open(const std::string& path) {
  if (path.empty()) return {};
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) return fail(ErrorCode::io, "cannot create the file of --phases", path, errno);
  return {};
}

void PhaseLog::enter(RunPhase phase) {
  if (fd_ >= 0) write_all(fd_, format_phase(monotonic_us(), phase));
}

}  // namespace kvpsi
