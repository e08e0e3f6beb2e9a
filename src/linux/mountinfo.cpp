// SPDX-License-Identifier: MIT
// See mountinfo.h. Format: man 5 proc_pid_mountinfo, man 7 cgroups.
#include "linux/mountinfo.h"

#include <algorithm>
#include <utility>

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

/// Takes the first of comma-separated words off the list.
std::string_view take_option(std::string_view& list) {
  const std::size_t end = std::min(list.find(','), list.size());
  const std::string_view word = list.substr(0, end);
  list.remove_prefix(std::min(end + 1, list.size()));
  return word;
}

bool lists_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    if (take_option(list) == word) return true;
  }
  return false;
}

bool shows(const Mount& mount, std::string_view path) {
  const std::string_view point = mount.mount_point;
  return point == "/" || path == point ||
         (path.starts_with(point) && path.substr(point.size()).starts_with('/'));
}

}  // namespace

Result<std::vector<Mount>> parse_mounts(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  while (!mountinfo.empty()) {
    const std::string_view line = take_line(mountinfo);
    const std::size_t separator = line.find(" - ");
    if (separator == std::string_view::npos) {
      return fail(ErrorCode::malformed, "a line of mountinfo has no ' - '");
    }
    std::string_view head = line.substr(0, separator);
    std::string_view tail = line.substr(separator + 3);
    for (int field = 0; field < 3; ++field) take_word(head);
    Mount mount;
    mount.root = decode_octal(take_word(head));
    mount.mount_point = decode_octal(take_word(head));
    mount.type = take_word(tail);
    mount.source = decode_octal(take_word(tail));
    mount.super_options = decode_octal(take_word(tail));
    if (mount.root.empty() || !mount.mount_point.starts_with('/')) {
      return fail(ErrorCode::malformed, "a line of mountinfo has too few fields");
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

const Mount* mount_of(const std::vector<Mount>& mounts, std::string_view path) {
  const Mount* found = nullptr;
  for (const Mount& mount : mounts) {
    if (!shows(mount, path)) continue;
    // Of mounts upon each other the last one shows.
    if (found == nullptr || mount.mount_point.size() >= found->mount_point.size()) found = &mount;
  }
  return found;
}

std::optional<std::string> mount_option(std::string_view options, std::string_view key) {
  while (!options.empty()) {
    const std::string_view word = take_option(options);
    if (word.starts_with(key) && word.substr(key.size()).starts_with('=')) {
      return std::string(word.substr(key.size() + 1));
    }
  }
  return std::nullopt;
}

Result<std::vector<CgroupMount>> parse_cgroup_mounts(std::string_view mountinfo) {
  auto all = parse_mounts(mountinfo);
  if (!all) return std::unexpected(all.error());
  std::vector<CgroupMount> mounts;
  for (Mount& mount : *all) {
    if (mount.type != "cgroup" && mount.type != "cgroup2") continue;
    if (!mount.root.starts_with('/')) {
      return fail(ErrorCode::malformed, "a line of mountinfo has too few fields");
    }
    mounts.push_back(
        {.is_v2 = mount.type == "cgroup2",
         .has_memory = mount.type == "cgroup" && lists_word(mount.super_options, "memory"),
         .root = std::move(mount.root),
         .mount_point = std::move(mount.mount_point)});
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
