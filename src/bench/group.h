// SPDX-License-Identifier: MIT
// One squeezed group for one trial: a parent with the limit, `engine` and `neighbour` below it with
// pressure files of their own. Fresh for each trial, so that peaks, counters and leftover page
// cache of one cannot colour the next. Next hop: child starts processes in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/group_home.h"
#include "model/sample.h"

namespace kvpsi {

enum class GroupPart : std::uint8_t { engine, neighbour };

/// Movable; kills what is inside and removes itself on destruction.
class BenchGroup {
 public:
  /// `name` as group_name() gives it. Hybrid: one v1 group with the limit for both parts, v2
  /// siblings for the pressure. `ops` outlives the group. Errors: as CgroupOps.
  static Result<BenchGroup> create(CgroupOps& ops, const GroupHome& home, const std::string& name);

  BenchGroup(BenchGroup&& other) noexcept;
  BenchGroup& operator=(BenchGroup&&) = delete;
  ~BenchGroup();

  /// Files into which a process writes "0" to join the part.
  std::vector<std::string> join_files(GroupPart part) const;

  /// Limits both parts together; 0 takes the limit off. Swap is not limited: where there is swap
  /// the context of the results says so. Errors: as CgroupOps (busy: the kernel cannot reclaim
  /// enough to get below the limit).
  Result<void> set_limit(std::uint64_t bytes);

  /// Bytes charged now; page cache included. 0 where it cannot be read.
  std::uint64_t usage_bytes() const;
  /// Most bytes ever charged; 0 on v2 before Linux 5.19, which has no such file.
  std::uint64_t peak_bytes() const;
  /// OOM kills in the whole group.
  std::uint64_t oom_kills() const;
  /// Stall of both together; empty without pressure files.
  std::optional<PsiTotals> stall() const;
  std::optional<PsiTotals> stall(GroupPart part) const;

  /// Kills, removes. Further calls do nothing. Errors: busy.
  Result<void> destroy();

 private:
  explicit BenchGroup(CgroupOps& ops) : ops_(&ops) {}
  std::uint64_t read_number(const std::string& file) const;
  std::optional<PsiTotals> read_stall(const std::string& dir) const;

  CgroupOps* ops_;
  bool is_v2_ = false;
  std::string limit_dir_;
  std::string pressure_dir_;
};

}  // namespace kvpsi
