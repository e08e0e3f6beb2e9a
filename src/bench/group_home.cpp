// SPDX-License-Identifier: MIT
// The search for a place; see group_home.h. The removal of dead groups is in group_sweep.cpp.
#include "bench/group_home.h"

#include <unistd.h>

#include <utility>

#include "bench/group_name.h"
#include "linux/text_scan.h"

namespace kvpsi {
namespace {

bool names_memory(CgroupOps& ops, const std::string& path) {
  const auto text = ops.read(path);
  if (!text) return false;
  std::string_view rest = *text;
  std::string_view line = take_line(rest);
  while (!line.empty()) {
    const auto word = take_word(line);
    if (word.empty()) break;
    if (word == "memory") return true;
  }
  return false;
}

bool passes_memory_down(CgroupOps& ops, const std::string& dir) {
  return ops.is_writable(dir) && names_memory(ops, dir + "/cgroup.subtree_control");
}

bool could_pass_down(CgroupOps& ops, const std::string& dir) {
  return ops.is_writable(dir) && names_memory(ops, dir + "/cgroup.controllers");
}

/// The root of the hierarchy is exempt from "no internal processes"; only it lacks cgroup.type.
bool is_root(CgroupOps& ops, const std::string& dir) { return !ops.exists(dir + "/cgroup.type"); }

Result<void> enable_memory(CgroupOps& ops, const std::string& dir) {
  return ops.write(dir + "/cgroup.subtree_control", "+memory");
}

std::unexpected<Error> no_home(const std::string& dir) {
  return fail(ErrorCode::unsupported,
              "no control group here may be limited: run it as `systemd-run --user --scope -p "
              "Delegate=yes kvpsi bench ...`, or as root, or with --scope system",
              dir);
}

}  // namespace

std::vector<std::string> groups_upwards(CgroupOps& ops, const std::string& dir) {
  std::vector<std::string> dirs;
  for (std::string at = dir; !at.empty() && ops.exists(at + "/cgroup.procs");) {
    dirs.push_back(at);
    const auto slash = at.find_last_of('/');
    at = slash == std::string::npos ? std::string() : at.substr(0, slash);
  }
  return dirs;
}

Result<GroupHome> GroupHome::find(CgroupOps& ops, const OwnGroups& own, const std::string& proc) {
  GroupHome home(ops);
  if (!own.v1_memory_dir.empty()) {
    if (!ops.is_writable(own.v1_memory_dir)) return no_home(own.v1_memory_dir);
    home.limit_dir_ = own.v1_memory_dir;
    if (!own.v2_dir.empty() && ops.is_writable(own.v2_dir) &&
        ops.exists(own.v2_dir + "/cgroup.procs")) {
      home.pressure_dir_ = own.v2_dir;
    }
    return home;
  }
  if (own.v2_dir.empty()) {
    return fail(ErrorCode::unsupported,
                "this machine has no control groups with memory limits: mount them, or use --scope "
                "system");
  }
  const auto name = group_name(proc);
  if (!name) return std::unexpected(name.error());
  if (auto found = home.find_v2(own.v2_dir, *name + "-self"); !found) {
    return std::unexpected(found.error());
  }
  home.is_v2_ = true;
  home.pressure_dir_ = home.limit_dir_;
  return home;
}

Result<void> GroupHome::find_v2(const std::string& own_dir, const std::string& leaf_name) {
  const auto dirs = groups_upwards(*ops_, own_dir);
  for (const auto& dir : dirs) {
    if (!passes_memory_down(*ops_, dir)) continue;
    limit_dir_ = dir;
    return {};
  }
  for (const auto& dir : dirs) {
    if (!could_pass_down(*ops_, dir)) continue;
    if (!is_root(*ops_, dir) && !read_pids(*ops_, dir).empty()) continue;
    if (!enable_memory(*ops_, dir)) continue;
    limit_dir_ = dir;
    return {};
  }
  return move_into_leaf(own_dir, leaf_name);
}

Result<void> GroupHome::move_into_leaf(const std::string& own_dir, const std::string& leaf_name) {
  const auto pids = read_pids(*ops_, own_dir);
  if (!could_pass_down(*ops_, own_dir) || pids != std::vector<pid_t>{::getpid()}) {
    return no_home(own_dir);
  }
  const std::string leaf = own_dir + "/" + leaf_name;
  if (!ops_->make_dir(leaf)) return no_home(own_dir);
  if (!ops_->write(leaf + "/cgroup.procs", std::to_string(::getpid()))) {
    static_cast<void>(ops_->remove_dir(leaf));
    return no_home(own_dir);
  }
  leaf_dir_ = leaf;
  leaf_parent_ = own_dir;
  if (!enable_memory(*ops_, own_dir)) return no_home(own_dir);
  limit_dir_ = own_dir;
  return {};
}

GroupHome::GroupHome(GroupHome&& other) noexcept
    : ops_(other.ops_),
      limit_dir_(std::move(other.limit_dir_)),
      pressure_dir_(std::move(other.pressure_dir_)),
      is_v2_(other.is_v2_),
      leaf_dir_(std::exchange(other.leaf_dir_, {})),
      leaf_parent_(std::move(other.leaf_parent_)) {}

GroupHome::~GroupHome() {
  if (leaf_dir_.empty()) return;
  // Backwards: a group that passes controllers down takes no process.
  static_cast<void>(ops_->write(leaf_parent_ + "/cgroup.subtree_control", "-memory"));
  static_cast<void>(ops_->write(leaf_parent_ + "/cgroup.procs", std::to_string(::getpid())));
  static_cast<void>(ops_->remove_dir(leaf_dir_));
}

std::string GroupHome::describe() const {
  if (is_v2_) return "v2";
  return pressure_dir_.empty() ? "v1 memory, no pressure files" : "v1 memory + v2 pressure";
}

}  // namespace kvpsi
