// SPDX-License-Identifier: MIT
// Names of groups, and the removal of those whose bench is dead; see group_home.h.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "bench/group_home.h"
#include "bench/group_name.h"
#include "linux/kernel_file.h"
#include "linux/process.h"
#include "linux/text_scan.h"

namespace kvpsi {
namespace {

bool take_field(std::string_view& text, std::uint64_t& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return true;
}

bool is_alive(const GroupOwner& owner, const std::string& proc) {
  return read_start_ticks(proc, std::to_string(owner.pid)) == owner.start_ticks;
}

/// A process that shows as 0 lives in another namespace: then the group is not ours to clean.
bool holds_strangers(CgroupOps& ops, const std::string& dir) {
  const auto strange = [&](const std::string& at) {
    const auto pids = read_pids(ops, at);
    return std::ranges::find(pids, 0) != pids.end();
  };
  if (strange(dir)) return true;
  return std::ranges::any_of(ops.list_dirs(dir),
                             [&](const std::string& child) { return strange(dir + "/" + child); });
}

}  // namespace

std::optional<std::uint64_t> read_start_ticks(const std::string& proc, const std::string& pid) {
  const auto text = read_small_file(proc + "/" + pid + "/stat");
  if (!text) return std::nullopt;
  // The command, in brackets, may hold anything, brackets and blanks included.
  const auto bracket = text->rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(*text).substr(bracket + 1);
  std::string_view word;
  for (int field = 3; field <= 22; ++field) word = take_word(rest);
  return parse_u64(word);
}

std::optional<GroupOwner> parse_group_name(std::string_view name) {
  if (!name.starts_with(kGroupPrefix)) return std::nullopt;
  name.remove_prefix(kGroupPrefix.size());
  std::uint64_t pid = 0;
  GroupOwner owner;
  const auto dash = [&] {
    if (!name.starts_with('-')) return false;
    name.remove_prefix(1);
    return true;
  };
  if (!take_field(name, pid) || !dash() || !take_field(name, owner.start_ticks) || !dash() ||
      !take_field(name, owner.pid_namespace)) {
    return std::nullopt;
  }
  if (!name.empty() && !name.starts_with('-')) return std::nullopt;
  owner.pid = static_cast<pid_t>(pid);
  return owner;
}

Result<std::string> group_name(const std::string& proc) {
  const auto start = read_start_ticks(proc, "self");
  if (!start) return fail(ErrorCode::io, "cannot read the own start time", proc + "/self/stat");
  const auto space = read_pid_namespace(proc);
  if (!space) return fail(ErrorCode::io, "cannot be examined", proc + "/self/ns/pid", errno);
  return fmt::format("{}{}-{}-{}", kGroupPrefix, ::getpid(), *start, *space);
}

std::vector<std::string> sweep_dead_groups(CgroupOps& ops, const OwnGroups& own,
                                           const std::string& proc) {
  std::vector<std::string> removed;
  const auto space = read_pid_namespace(proc);
  for (const auto* start : {&own.v1_memory_dir, &own.v2_dir}) {
    for (const auto& home : groups_upwards(ops, *start)) {
      for (const auto& name : ops.list_dirs(home)) {
        const auto owner = parse_group_name(name);
        const std::string dir = home + "/" + name;
        if (!owner || owner->pid_namespace != space || is_alive(*owner, proc) ||
            holds_strangers(ops, dir)) {
          continue;
        }
        if (kill_and_remove(ops, dir)) removed.push_back(dir);
      }
    }
  }
  return removed;
}

}  // namespace kvpsi
