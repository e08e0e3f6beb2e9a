// SPDX-License-Identifier: MIT
// The asking end of the status socket: finds the governed processes and asks one. Must believe
// nothing that the kernel does not say: anybody may take the name of a process, so who listens is
// verified, and what is answered is bounded. Next hops: status_request (what can be asked),
// status_answer and status_table (what is made of it), cmd_status.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// Longer answers are none of ours: a status has about 4 KiB.
inline constexpr std::size_t kMostAnswerBytes = 1024 * 1024;
/// From the first step of asking to the last byte of the answer.
inline constexpr std::uint64_t kAnswerWithinUs = 5'000'000;

/// The processes that `unix_table` (/proc/net/unix) names, ascending, without those of other PID
/// namespaces than `pid_namespace` (0: all). Errors: io.
Result<std::vector<pid_t>> find_status_servers(const std::string& unix_table = "/proc/net/unix",
                                               std::uint64_t pid_namespace = 0);

/// Asks one process of our PID namespace with a line of status_request.h. The answer is one line of
/// text from outside. Errors: not_found (nobody listens); permission (somebody else listens in its
/// name, it belongs to another user and we are not root, or it turned us away); io (no whole answer
/// within the time); malformed (longer than kMostAnswerBytes).
Result<std::string> ask_status(pid_t pid, std::string_view request = "status",
                               std::uint64_t within_us = kAnswerWithinUs);

}  // namespace kvpsi
