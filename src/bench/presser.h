// SPDX-License-Identifier: MIT
// The pressure generator: a process that holds memory and uses it in a closed loop, without
// sleeping, and says how fast it gets round. It is the neighbour of every squeeze and stands for
// the program that suffers when somebody else hogs memory. Bounded in bytes and time; refuses more
// than the machine or the group can give. Next hop: cli/cmd_press.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/results.h"
#include "bench/round_log.h"

namespace kvpsi {

struct PressOptions {
  std::uint64_t anon_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::string file;  ///< read this file; empty: an unlinked one made in `directory`
  std::string directory = ".";
  bool use_mmap = true;          ///< read the file through a mapping, else with pread
  std::uint64_t step_bytes = 0;  ///< grow by this much, 0 = at once
  double step_s = 1;             ///< time between two steps
  bool hot = true;               ///< touch every page each round; else only when it is new
  double for_s = 60;             ///< end after this, at most kPressMostSeconds
  bool force = false;            ///< allow more than the machine or the group can give
  /// How much can be taken now; empty: not known, no check. find_available_bytes() measures it.
  std::optional<std::uint64_t> available_bytes;
};

inline constexpr double kPressMostSeconds = 3600;

struct PressSummary {
  std::uint64_t anon_bytes = 0;
  std::uint64_t file_bytes = 0;
  double seconds = 0;
  std::vector<Round> rounds;  ///< the first kPressMostRounds
  std::uint64_t rounds_total = 0;
  bool stopped = false;  ///< asked to end before its time
};

/// Rounds kept for the log: 16 MiB of them; later ones are counted only.
inline constexpr std::uint64_t kPressMostRounds = 1'048'576;

/// What is left: MemAvailable, or less where a memory group above this process has a limit (v2 and
/// v1). `proc` and `sys_cgroup` are the mounts. Errors: io or malformed for an unreadable meminfo.
Result<std::uint64_t> find_available_bytes(const std::string& proc = "/proc",
                                           const std::string& sys_cgroup = "/sys/fs/cgroup");

/// Checks, allocates, and works until the time is over or `stop` says so; `on_ready` is called
/// once, after the first round over everything (all steps). One round touches one cache line of
/// every anonymous page and of every page of the file: enough to keep it in memory without filling
/// the memory bus, which would slow the engine for another reason than memory pressure. Errors:
/// invalid_argument (nothing to do, bounds, more than there is without force), unsupported (file on
/// tmpfs), not_found, io, exhausted.
Result<PressSummary> run_presser(const PressOptions& options, const std::function<bool()>& stop,
                                 const std::function<void()>& on_ready);

}  // namespace kvpsi
