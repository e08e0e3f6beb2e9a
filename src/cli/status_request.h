// SPDX-License-Identifier: MIT
// What a client may ask of a governed process over the status socket, as one line of text: nothing
// or "status" for the status, "kv-soft-max BYTES|none" to change the goal. Pure. Next hops:
// status_socket (carries it), status_answer (what comes back), cmd_status (asks).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

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

}  // namespace kvpsi
