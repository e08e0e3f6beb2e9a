// SPDX-License-Identifier: MIT
// The documents that a governed process answers with over the status socket, kvpsi.status/1 and
// kvpsi.control/1 (docs/json-output.md), made on one side and checked on the other. Pure. What
// comes in was written by whoever listens: no byte of it may reach a terminal as it is. Next hops:
// status_table (the status for people), cmd_run_session (answers), cmd_status (prints).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/tick.h"

namespace kvpsi {

inline constexpr std::string_view kStatusSchema = "kvpsi.status/1";
inline constexpr std::string_view kControlSchema = "kvpsi.control/1";

/// What a process says of itself besides its last turn.
struct StatusFacts {
  int pid = 0;
  std::string command;              ///< run, serve
  std::string model;                ///< path
  bool is_budget_enforced = false;  ///< new work keeps to the budget
  std::uint64_t weights_file_bytes = 0;
  std::uint64_t weights_anon_bytes = 0;
  std::uint64_t uptime_s = 0;
};

/// The status, schema kvpsi.status/1, on one line; the tick is null before the first turn.
std::string make_status_answer(const StatusFacts& facts, const std::optional<Tick>& tick);

/// Why a goal will do more harm than good, in one line; empty if it will not. `tick` is the last
/// turn before the change.
std::string warn_of_churn(std::optional<std::uint64_t> soft_max_bytes, const Tick& tick);

/// The answer to a change: schema kvpsi.control/1 with the goal that now holds, the one before, the
/// live KV and the warning, each null where there is none. On one line.
std::string make_control_answer(const StatusFacts& facts, std::optional<std::uint64_t> before_bytes,
                                std::optional<std::uint64_t> now_bytes, const Tick& tick);

/// The answer to a line that is no request: schema kvpsi.control/1 with `error`.
std::string make_error_answer(const Error& error);

/// What a person is told of a kvpsi.control/1 answer; safe to print.
struct ControlWords {
  std::string line;
  std::string warning;  ///< empty: none
};

/// Errors: malformed for what is no such answer; invalid_argument with the words of the process
/// where it refused.
Result<ControlWords> describe_control_answer(const std::string& document);

/// The same document in ASCII, on one line, safe to print. Errors: malformed where it is no JSON
/// object of this schema.
Result<std::string> clean_answer(const std::string& document, std::string_view schema);

}  // namespace kvpsi
