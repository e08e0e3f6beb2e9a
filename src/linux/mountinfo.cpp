// SPDX-License-Identifier: MIT
// See mountinfo.h. Format: man 5 proc_pid_mountinfo, man 7 cgroups.
#include "linux/mountinfo.h"

#include <algorithm>

#include "linux/text_scan.h"

namespace kvpsi {
namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// Decodes \ooo, as the kernel writes blanks, tabs, line feeds and backslashes in paths.
std::string decode_octal(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
                           is_octal(text[i + 2]) && is_octal(text[i + 3]);
    if (!is_escape) {
      decoded += text[i];
      continue;
    }
    const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
    decoded += static_cast<char>(value & 0xff);
    i += 3;
  }
  return decoded;
}

bool lists_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == word) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

Result<std::vector<CgroupMount>> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  while (!mountinfo.empty()) {
    std::string_view line = take_line(mountinfo);
    const std::size_t separator = line.find(" - ");
    if (separator == std::string_view::npos) {
      return fail(ErrorCode::malformed, "a line of mountinfo has no ' - '");
    }
    std::string_view tail = line.substr(separator + 3);
    std::string_view head = line.substr(0, separator);
    const std::string_view type = take_word(tail);
    if (type != "cgroup" && type != "cgroup2") continue;
    take_word(tail);  // the source, any text
    const std::string_view super_options = take_word(tail);
    for (int field = 0; field < 3; ++field) take_word(head);
    CgroupMount mount{.is_v2 = type == "cgroup2",
                      .has_memory = type == "cgroup" && lists_word(super_options, "memory"),
                      .root = decode_octal(take_word(head)),
                      .mount_point = decode_octal(take_word(head))};
    if (!mount.root.starts_with('/') || !mount.mount_point.starts_with('/')) {
      return fail(ErrorCode::malformed, "a line of mountinfo has too few fields");
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<ProcessGroups> parse_process_groups(std::string_view text) {
  ProcessGroups groups;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos || !line.substr(second + 1).starts_with('/')) {
      return fail(ErrorCode::malformed, "a line of a cgroup file is not 'id:controllers:/path'");
    }
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (line.substr(0, first) == "0" && controllers.empty()) groups.v2 = path;
    if (lists_word(controllers, "memory")) groups.v1_memory = path;
  }
  return groups;
}

}  // namespace kvpsi
