// SPDX-License-Identifier: MIT
// See group.h.
#include "bench/group.h"

#include <utility>

#include "linux/psi_parse.h"
#include "linux/text_scan.h"

namespace kvpsi {
namespace {

std::string part_dir(const std::string& dir, GroupPart part) {
  return dir + (part == GroupPart::engine ? "/engine" : "/neighbour");
}

Result<void> make_parts(CgroupOps& ops, const std::string& dir) {
  for (const GroupPart part : {GroupPart::engine, GroupPart::neighbour}) {
    if (auto made = ops.make_dir(part_dir(dir, part)); !made) return made;
  }
  return {};
}

}  // namespace

Result<BenchGroup> BenchGroup::create(CgroupOps& ops, const GroupHome& home,
                                      const std::string& name) {
  BenchGroup group(ops);
  group.is_v2_ = home.is_v2();
  if (auto made = ops.make_dir(home.limit_dir() + "/" + name); !made) {
    return std::unexpected(made.error());
  }
  group.limit_dir_ = home.limit_dir() + "/" + name;
  if (home.is_v2()) {
    // Pressure of the parts is there with or without the controller; limits are the parent's.
    group.pressure_dir_ = group.limit_dir_;
  } else if (!home.pressure_dir().empty()) {
    if (auto made = ops.make_dir(home.pressure_dir() + "/" + name); !made) {
      return std::unexpected(made.error());
    }
    group.pressure_dir_ = home.pressure_dir() + "/" + name;
  }
  if (!group.pressure_dir_.empty()) {
    if (auto made = make_parts(ops, group.pressure_dir_); !made) {
      return std::unexpected(made.error());
    }
  }
  return group;
}

BenchGroup::BenchGroup(BenchGroup&& other) noexcept
    : ops_(other.ops_),
      is_v2_(other.is_v2_),
      limit_dir_(std::exchange(other.limit_dir_, {})),
      pressure_dir_(std::exchange(other.pressure_dir_, {})) {}

BenchGroup::~BenchGroup() { static_cast<void>(destroy()); }

std::vector<std::string> BenchGroup::join_files(GroupPart part) const {
  std::vector<std::string> files;
  if (!is_v2_) files.push_back(limit_dir_ + "/cgroup.procs");
  if (!pressure_dir_.empty()) files.push_back(part_dir(pressure_dir_, part) + "/cgroup.procs");
  return files;
}

Result<void> BenchGroup::set_limit(std::uint64_t bytes) {
  if (is_v2_) {
    return ops_->write(limit_dir_ + "/memory.max", bytes == 0 ? "max" : std::to_string(bytes));
  }
  return ops_->write(limit_dir_ + "/memory.limit_in_bytes",
                     bytes == 0 ? "-1" : std::to_string(bytes));
}

std::uint64_t BenchGroup::read_number(const std::string& file) const {
  const auto text = ops_->read(limit_dir_ + "/" + file);
  if (!text) return 0;
  std::string_view rest = *text;
  return parse_u64(take_line(rest)).value_or(0);
}

std::uint64_t BenchGroup::usage_bytes() const {
  return read_number(is_v2_ ? "memory.current" : "memory.usage_in_bytes");
}

std::uint64_t BenchGroup::peak_bytes() const {
  return read_number(is_v2_ ? "memory.peak" : "memory.max_usage_in_bytes");
}

std::uint64_t BenchGroup::oom_kills() const {
  const auto text = ops_->read(limit_dir_ + (is_v2_ ? "/memory.events" : "/memory.oom_control"));
  return text ? find_value(*text, "oom_kill").value.value_or(0) : 0;
}

std::optional<PsiTotals> BenchGroup::read_stall(const std::string& dir) const {
  if (pressure_dir_.empty()) return std::nullopt;
  const auto text = ops_->read(dir + "/memory.pressure");
  if (!text) return std::nullopt;
  const auto totals = parse_psi(*text);
  if (!totals) return std::nullopt;
  return *totals;
}

std::optional<PsiTotals> BenchGroup::stall() const { return read_stall(pressure_dir_); }

std::optional<PsiTotals> BenchGroup::stall(GroupPart part) const {
  return read_stall(part_dir(pressure_dir_, part));
}

Result<void> BenchGroup::destroy() {
  Result<void> result;
  const std::string limit = std::exchange(limit_dir_, {});
  const std::string pressure = std::exchange(pressure_dir_, {});
  // A process stuck at the limit ends faster without it.
  if (!limit.empty()) {
    static_cast<void>(ops_->write(limit + (is_v2_ ? "/memory.max" : "/memory.limit_in_bytes"),
                                  is_v2_ ? "max" : "-1"));
  }
  for (const auto& dir : {pressure, limit}) {
    if (dir.empty()) continue;
    if (auto removed = kill_and_remove(*ops_, dir); !removed) result = removed;
  }
  return result;
}

}  // namespace kvpsi
