// SPDX-License-Identifier: MIT
// What a request asks of the governor: the member "kvpsi" of its JSON body, which llama-server
// knows nothing of. Pure. Next hop: cli/cmd_serve_http.h.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace kvpsi {

/// {"kvpsi": {"trim": false, "priority": 5}}; either may be left out.
struct RequestWish {
  static constexpr int kMostPriority = 100;

  bool trim = true;  ///< its context may be reduced while memory is short
  int priority = 0;  ///< -100 to 100: the lowest is reduced first

  bool operator==(const RequestWish&) const = default;
};

/// The defaults where the body says nothing, or is no JSON object: that is llama-server's to
/// refuse. Error: one sentence on what is wrong with the member.
std::expected<RequestWish, std::string> read_request_wish(std::string_view body);

}  // namespace kvpsi
