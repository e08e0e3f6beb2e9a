// SPDX-License-Identifier: MIT
// See status_name.h. The name is the last word of a line; the kernel writes '@' for the NUL byte
// that begins an abstract name.
#include "linux/status_name.h"

#include <charconv>
#include <system_error>

namespace kvpsi {
namespace {

/// Takes the number that `text` begins with; false where there is none or it is too large.
template <class T>
bool take_number(std::string_view& text, T& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return true;
}

}  // namespace

std::optional<ListedProcess> parse_status_name(std::string_view line) {
  const std::size_t at = line.rfind(" @");
  if (at == line.npos) return std::nullopt;
  std::string_view name = line.substr(at + 2);
  if (!name.starts_with(kStatusNamePrefix)) return std::nullopt;
  name.remove_prefix(kStatusNamePrefix.size());
  ListedProcess process{.pid = 0, .shares_need = !name.ends_with(kStatusNameWatching)};
  if (!process.shares_need) name.remove_suffix(kStatusNameWatching.size());
  if (!take_number(name, process.pid) || process.pid <= 0) return std::nullopt;
  if (name.starts_with(kStatusNameSpace)) {
    name.remove_prefix(kStatusNameSpace.size());
    if (!take_number(name, process.pid_namespace) || process.pid_namespace == 0) {
      return std::nullopt;
    }
  }
  return name.empty() ? std::optional(process) : std::nullopt;
}

std::string format_status_name(const ListedProcess& process) {
  std::string name = std::string(kStatusNamePrefix) + std::to_string(process.pid);
  if (process.pid_namespace != 0) {
    name.append(kStatusNameSpace).append(std::to_string(process.pid_namespace));
  }
  if (!process.shares_need) name.append(kStatusNameWatching);
  return name;
}

}  // namespace kvpsi
