// SPDX-License-Identifier: MIT
// What a governed process answers on its status socket: its state, and whether it took a new goal.
// Shared by all commands that hold an engine. Next hops: status_socket.h carries the answer,
// status_answer.h spells it.
#pragma once

#include <string>
#include <string_view>

#include "cli/governor_thread.h"
#include "cli/status_answer.h"

namespace kvpsi {

/// Carries out the request of one line and answers it. `governor` has been started. Any thread.
std::string answer_status_request(std::string_view line, const StatusFacts& facts,
                                  GovernorThread& governor);

}  // namespace kvpsi
