// SPDX-License-Identifier: MIT
// KernelSource: the PressureSource of a real machine. Start here in this folder: it puts together
// three pressure inputs, the limits above us, the machine's files and, where a service manager
// asks for it, its pressure watch. Must not interpret what it reads: policy/ does.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "govern/ports.h"
#include "linux/cgroup.h"
#include "linux/group_memory.h"
#include "linux/kernel_file.h"
#include "linux/machine_files.h"
#include "linux/peers.h"
#include "linux/pressure_watch.h"
#include "linux/psi_input.h"

namespace kvpsi {

/// Every path that a sample is read from. An empty one is found by itself; the three PSI paths may
/// name a plain file, a FIFO or an AF_UNIX stream socket.
struct KernelPaths {
  CgroupRoots roots = {};
  /// Default: memory.pressure of the own v2 group, unless that is the root.
  std::string psi_own = {};
  /// Default: of the nearest ancestor below the root that can be read; see find_parent_pressure.
  std::string psi_parent = {};
  std::string psi_system = {};   ///< default: <proc>/pressure/memory
  std::string meminfo = {};      ///< default: <proc>/meminfo
  std::string vmstat = {};       ///< default: <proc>/vmstat
  std::string self_status = {};  ///< default: <proc>/self/status
  std::string self_stat = {};    ///< default: <proc>/self/stat
  std::string unix_table = {};   ///< default: <proc>/net/unix
};

struct KernelSourceOptions {
  KernelPaths paths = {};
  bool use_triggers = true;  ///< false: wait() ends by time, streams and wake() alone
  /// The values of MEMORY_PRESSURE_WATCH and MEMORY_PRESSURE_WRITE; see pressure_watch.h.
  std::string watch_path = {};
  std::string watch_write_base64 = {};
};

/// What was found, for doctor and status.
struct KernelSourceFacts {
  PsiInputFacts own;
  PsiInputFacts parent;
  PsiInputFacts system;
  CgroupLocation location;
  std::string limit_dir;  ///< the directory of the tightest limit; empty: none
  std::string watch;      ///< the watched path, or why none; empty: nobody asked
};

/// See govern/ports.h for wait, wake and sample. Lost inputs are found again at most once a second.
class KernelSource final : public PressureSource {
 public:
  /// Opens what is there. A machine without PSI, cgroups or privileges is no error: its fields stay
  /// empty and wait() ends by time. Errors: a PSI path that was given and cannot be used (codes of
  /// PsiFile::open); watch values that are not well-formed (codes of parse_pressure_watch);
  /// exhausted where no eventfd is to be had.
  static Result<std::unique_ptr<KernelSource>> open(const KernelSourceOptions& options);

  Wake wait(std::uint64_t timeout_us) override;
  void wake() override;
  Sample sample() override;

  /// Mapped file bytes that decoding needs resident; copied into each sample. Any thread.
  void set_file_wanted_bytes(std::uint64_t bytes) { file_wanted_bytes_.store(bytes); }

  /// One line: the inputs, the windows granted, the limits. Any thread.
  std::string describe() const;

  /// Any thread.
  KernelSourceFacts facts() const;

 private:
  explicit KernelSource(const KernelSourceOptions& options) : options_(options) {}
  Result<void> open_all();
  Result<void> open_watch();
  Result<void> open_group_inputs();
  Result<void> open_system_input();
  void recover(std::uint64_t now_us);
  bool has_moved();
  bool is_any_lost() const {
    return own_.is_lost() || parent_.is_lost() || system_.is_lost() || is_group_lost_;
  }
  bool handle_polled(const pollfd& polled);
  std::optional<PeerGroup> find_peer_group() const;
  void rebuild_polls();
  void publish_facts();

  KernelSourceOptions options_;
  CgroupLocation location_;
  PsiInput own_;
  PsiInput parent_;
  PsiInput system_;
  GroupMemory group_;
  bool is_group_lost_ = false;
  MachineFiles machine_;
  PeerFinder peers_;
  KernelFile cgroup_file_;
  std::uint64_t cgroup_hash_ = 0;
  std::optional<PressureWatch> watch_;
  std::string watch_words_;
  std::optional<std::uint64_t> hints_total_;  ///< absent where nobody gave us a watch
  UniqueFd wake_fd_;
  PollSet polls_;
  std::vector<char> buffer_;
  std::uint64_t checked_us_ = 0;    ///< when the own group's path was last compared
  std::uint64_t recovered_us_ = 0;  ///< when lost inputs were last looked for
  std::atomic<std::uint64_t> file_wanted_bytes_{0};
  mutable std::mutex facts_mutex_;
  KernelSourceFacts facts_;
};

/// The path of the nearest ancestor's pressure file that tells something else than the own group's:
/// readable, below the root, another file, and with other counters where the own ones have moved
/// (a group with one child repeats that child). Empty where there is none.
std::string find_parent_pressure(const CgroupLocation& location, const std::string& own_path);

/// "own PSI: ...; parent PSI: ...; system PSI: ...; limits: ...".
std::string describe(const KernelSourceFacts& facts);

}  // namespace kvpsi
