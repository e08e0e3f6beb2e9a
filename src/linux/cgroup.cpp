// SPDX-License-Identifier: MIT
// See cgroup.h.
#include "linux/cgroup.h"

#include <unistd.h>

#include <optional>

#include "linux/kernel_file.h"
#include "linux/mountinfo.h"

namespace kvpsi {
namespace {

constexpr std::string_view kUsualTree = "/sys/fs/cgroup";

bool is_below(std::string_view path, std::string_view top) {
  return path == top || (path.starts_with(top) && (top == "/" || path[top.size()] == '/'));
}

/// The mount point, moved below roots.sys where that stands for the usual tree.
std::string place_mount(const CgroupRoots& roots, const std::string& mount_point) {
  if (!is_below(mount_point, kUsualTree)) return mount_point;
  return roots.sys + mount_point.substr(kUsualTree.size());
}

/// The directory of group `path` in a mount that shows the groups from `root` down.
std::optional<std::string> place_group(const CgroupMount& mount, const std::string& mount_dir,
                                       const std::string& path) {
  if (path.find("/..") != std::string::npos || !is_below(path, mount.root)) return std::nullopt;
  std::string rest = mount.root == "/" ? path : path.substr(mount.root.size());
  if (rest == "/") rest.clear();
  return mount_dir + rest;
}

bool is_directory(const std::string& path) { return ::access((path + "/.").c_str(), F_OK) == 0; }

void place(const CgroupRoots& roots, const CgroupMount& mount, const ProcessGroups& groups,
           CgroupLocation& location) {
  const auto& path = mount.is_v2 ? groups.v2 : groups.v1_memory;
  if (!path || (!mount.is_v2 && !mount.has_memory)) return;
  const std::string mount_dir = place_mount(roots, mount.mount_point);
  const auto dir = place_group(mount, mount_dir, *path);
  if (!dir || !is_directory(*dir)) return;
  if (mount.is_v2 && location.v2_dir.empty()) {
    location.v2_dir = *dir;
    location.v2_mount = mount_dir;
    location.v2_is_root = !is_non_root_group(*dir);
  } else if (!mount.is_v2 && location.v1_memory_dir.empty()) {
    location.v1_memory_dir = *dir;
    location.v1_memory_mount = mount_dir;
  }
}

}  // namespace

Result<CgroupLocation> find_cgroup(const CgroupRoots& roots, int pid) {
  const std::string own = roots.proc + "/" + (pid == 0 ? "self" : std::to_string(pid));
  const auto cgroup_text = read_small_file(own + "/cgroup");
  if (!cgroup_text) return std::unexpected(cgroup_text.error());
  const auto groups = parse_process_groups(*cgroup_text);
  if (!groups) return fail(groups.error().code, groups.error().what, own + "/cgroup");
  // Our own view of the mounts, also for another process: we are the ones who will read.
  const std::string mounts_path = roots.proc + "/self/mountinfo";
  const auto mounts_text = read_small_file(mounts_path);
  if (!mounts_text) return std::unexpected(mounts_text.error());
  const auto mounts = parse_cgroup_mounts(*mounts_text);
  if (!mounts) return fail(mounts.error().code, mounts.error().what, mounts_path);

  CgroupLocation location;
  for (const CgroupMount& mount : *mounts) place(roots, mount, *groups, location);
  const bool has_v2 = !location.v2_dir.empty();
  if (!location.v1_memory_dir.empty()) {
    location.kind = has_v2 ? CgroupKind::hybrid : CgroupKind::v1;
  } else if (has_v2) {
    location.kind = CgroupKind::v2;
  }
  return location;
}

std::vector<std::string> list_ancestors(const std::string& dir, const std::string& mount) {
  std::vector<std::string> dirs;
  std::string at = dir;
  while (!at.empty() && is_below(at, mount) && dirs.size() < 32) {
    dirs.push_back(at);
    if (at == mount) break;
    at.erase(at.rfind('/'));
  }
  return dirs;
}

bool is_non_root_group(const std::string& v2_dir) {
  return ::access((v2_dir + "/cgroup.events").c_str(), F_OK) == 0;
}

}  // namespace kvpsi
