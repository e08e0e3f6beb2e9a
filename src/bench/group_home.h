// SPDX-License-Identifier: MIT
// Where the bench may make its groups: finds a place below which a memory limit works, in the v1
// hierarchy, the v2 one, or both (hybrid: v1 limits, v2 tells pressure). Also finds and removes
// what benches left behind that were killed. Next hop: group makes one group for one trial there.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "bench/cgroup_ops.h"

namespace kvpsi {

/// The groups that this process is in; empty: that hierarchy has none for us.
struct OwnGroups {
  std::string v1_memory_dir;
  std::string v2_dir;
};

/// A place for groups. Movable; undoes on destruction what it changed (a move of this process into
/// a leaf of its own, which pure v2 may need).
class GroupHome {
 public:
  /// v1 memory where it is mounted: below the own v1 group; pressure from below the own v2 group
  /// where there is one. Pure v2, the first that holds:
  ///  1. the own group or one above it is writable and already passes the memory controller down;
  ///  2. it is writable, has the controller and no process of its own ("no internal processes",
  ///     Documentation/admin-guide/cgroup-v2.rst): the controller is passed down now;
  ///  3. the own group holds this process alone: it moves into a leaf, then as 2.
  /// `ops` outlives the home. Errors: unsupported, with the command that makes it work.
  static Result<GroupHome> find(CgroupOps& ops, const OwnGroups& own, const std::string& proc);

  GroupHome(GroupHome&& other) noexcept;
  GroupHome& operator=(GroupHome&&) = delete;
  ~GroupHome();

  const std::string& limit_dir() const { return limit_dir_; }
  const std::string& pressure_dir() const { return pressure_dir_; }  ///< empty: none tells pressure
  bool is_v2() const { return is_v2_; }
  /// "v1 memory + v2 pressure", "v2", "v1 memory, no pressure files".
  std::string describe() const;

 private:
  explicit GroupHome(CgroupOps& ops) : ops_(&ops) {}
  Result<void> find_v2(const std::string& own_dir, const std::string& leaf_name);
  Result<void> move_into_leaf(const std::string& own_dir, const std::string& leaf_name);

  CgroupOps* ops_;
  std::string limit_dir_;
  std::string pressure_dir_;
  bool is_v2_ = false;
  std::string leaf_dir_;  ///< where this process moved to; empty: it did not
  std::string leaf_parent_;
};

/// The name of this process's groups: "kvpsi-bench-PID-STARTTIME-PIDNAMESPACE". The start time
/// tells a reused pid, the namespace keeps a bench of another container from being taken for dead.
/// Errors: io, malformed (procfs).
Result<std::string> group_name(const std::string& proc = "/proc");

/// Kills and removes groups of benches that no longer live, next to and above the own groups.
/// Returns the paths removed; what could not be removed is left. Groups of living benches and of
/// other pid namespaces are not touched.
std::vector<std::string> sweep_dead_groups(CgroupOps& ops, const OwnGroups& own,
                                           const std::string& proc = "/proc");

}  // namespace kvpsi
