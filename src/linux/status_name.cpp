// SPDX-License-Identifier: MIT
// See status_name.h. The name is the last word of a line; the kernel writes '@' for the NUL byte
// that begins an abstract name.
#include "linux/status_name.h"

#include <charconv>
#include <system_error>

namespace kvpsi {

std::optional<ListedProcess> parse_status_name(std::string_view line) {
  const std::size_t at = line.rfind(" @");
  if (at == line.npos) return std::nullopt;
  std::string_view name = line.substr(at + 2);
  if (!name.starts_with(kStatusNamePrefix)) return std::nullopt;
  name.remove_prefix(kStatusNamePrefix.size());
  ListedProcess process{.pid = 0, .shares_need = !name.ends_with(kStatusNameWatching)};
  if (!process.shares_need) name.remove_suffix(kStatusNameWatching.size());
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data(), end, process.pid);
  if (parsed.ec != std::errc{} || parsed.ptr != end || process.pid <= 0) return std::nullopt;
  return process;
}

}  // namespace kvpsi
