// SPDX-License-Identifier: MIT
// See status_request.h.
#include "cli/status_request.h"

#include <fmt/core.h>

#include "base/bytes.h"

namespace kvpsi {
namespace {

constexpr std::string_view kSoftMaxVerb = "kv-soft-max ";

}  // namespace

std::string format_status_request(const StatusRequest& request) {
  if (!request.sets_soft_max) return "status";
  return fmt::format("{}{}", kSoftMaxVerb,
                     request.soft_max_bytes ? std::to_string(*request.soft_max_bytes) : "none");
}

Result<std::optional<std::uint64_t>> parse_soft_max(std::string_view text) {
  if (text == "none") return std::optional<std::uint64_t>();
  const auto bytes = parse_bytes(text);
  if (!bytes) return std::unexpected(bytes.error());
  return *bytes == 0 ? std::nullopt : std::optional(*bytes);
}

Result<StatusRequest> parse_status_request(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty() || line == "status") return StatusRequest();
  if (!line.starts_with(kSoftMaxVerb)) {
    return fail(ErrorCode::invalid_argument,
                "this version answers status and kv-soft-max SIZE|none");
  }
  const auto bytes = parse_soft_max(line.substr(kSoftMaxVerb.size()));
  if (!bytes) return std::unexpected(bytes.error());
  return StatusRequest{.sets_soft_max = true, .soft_max_bytes = *bytes};
}

}  // namespace kvpsi
