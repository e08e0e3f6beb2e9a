// SPDX-License-Identifier: MIT
// What a client may ask of a governed process over the status socket, as one line of text: nothing
// or "status" for the status, "kv-soft-max BYTES|none" to change the goal. Pure. Next hops:
// status_socket (carries it), cmd_run_session (answers), cmd_status (asks).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/tick.h"

namespace kvpsi {

/// One request.
struct StatusRequest {
  bool sets_soft_max = false;
  std::optional<std::uint64_t> soft_max_bytes;  ///< empty: lift it

  bool operator==(const StatusRequest&) const = default;
};

/// The line to send, without a line feed; parse_status_request reads it back.
std::string format_status_request(const StatusRequest& request);

/// Errors: invalid_argument for a line that is no request.
Result<StatusRequest> parse_status_request(std::string_view line);

/// A size, or "none"; 0 means none too, as with --kv-max. Errors: those of parse_bytes.
Result<std::optional<std::uint64_t>> parse_soft_max(std::string_view text);

/// Why a goal will do more harm than good, in one line; empty if it will not. `tick` is the last
/// turn before the change.
std::string warn_of_churn(std::optional<std::uint64_t> soft_max_bytes, const Tick& tick);

/// The answer to a change: schema kvpsi.control/1 with the goal that now holds, the one before, the
/// live KV and the warning, each null where there is none. On one line.
std::string make_control_answer(int pid, std::optional<std::uint64_t> before_bytes,
                                std::optional<std::uint64_t> now_bytes, const Tick& tick);

/// The answer to a line that is no request: schema kvpsi.control/1 with `error`.
std::string make_error_answer(const Error& error);

/// What a person is told of a kvpsi.control/1 answer.
struct ControlWords {
  std::string line;
  std::string warning;  ///< empty: none
};

/// Errors: malformed for what is no such answer; invalid_argument with the words of the process
/// where it refused.
Result<ControlWords> describe_control_answer(const std::string& document);

}  // namespace kvpsi
