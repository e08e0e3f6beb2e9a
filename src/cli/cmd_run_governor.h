// SPDX-License-Identifier: MIT
// What `kvpsi run` wants of its governor. Next hop: governor_thread.h.
#pragma once

#include "cli/cmd_run_options.h"
#include "cli/governor_thread.h"

namespace kvpsi {

GovernorSetup make_governor_setup(const RunOptions& options);

}  // namespace kvpsi
