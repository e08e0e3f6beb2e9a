// SPDX-License-Identifier: MIT
// See file_mark.h; xattr(7).
#include "linux/file_mark.h"

#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

namespace kvpsi {

bool set_file_mark(const char* path, const char* name, std::optional<std::int64_t> value) {
  const std::string full = std::string("user.") + name;
  if (!value) return ::removexattr(path, full.c_str()) == 0 || errno == ENODATA;
  const std::string text = std::to_string(*value);
  return ::setxattr(path, full.c_str(), text.data(), text.size(), 0) == 0;
}

std::optional<std::int64_t> read_file_mark(const char* path, const char* name) {
  const std::string full = std::string("user.") + name;
  std::array<char, 32> text{};
  const ssize_t size = ::getxattr(path, full.c_str(), text.data(), text.size());
  if (size < 0) return errno == ERANGE ? std::optional<std::int64_t>(0) : std::nullopt;
  std::int64_t value = 0;
  const char* const end = text.data() + size;
  const auto parsed = std::from_chars(text.data(), end, value);
  return parsed.ec == std::errc() && parsed.ptr == end ? value : 0;
}

}  // namespace kvpsi
