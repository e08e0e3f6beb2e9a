// SPDX-License-Identifier: MIT
// PeerFinder: how much memory the other governed processes hold that give up context too, so that
// a shortage is shared in proportion. Nobody talks to anybody: the kernel's files name the peers
// (status_name.h), their size (/proc/PID/status) and their group (/proc/PID/cgroup). Must not judge
// what a share is: policy/share.h does. Next hop: kernel_source puts it into the sample.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/fixed_vector.h"
#include "linux/kernel_file.h"

namespace kvpsi {

/// The group whose limit is the tightest: in v1's memory hierarchy or v2's, so many levels above
/// the own one.
struct PeerGroup {
  bool is_v1 = false;
  std::size_t levels_up = 0;
};

/// Resident anonymous bytes of peers; empty where the kernel does not tell who they are.
struct PeerReading {
  std::optional<std::uint64_t> anon_bytes;        ///< of all that are visible on this machine
  std::optional<std::uint64_t> group_anon_bytes;  ///< of those in or below the given group

  bool operator==(const PeerReading&) const = default;
};

/// Where the files are; tests point it at a fixture.
struct PeerPaths {
  std::string proc = "/proc";
  std::string unix_table = "/proc/net/unix";
  int own_pid = 0;
};

/// Movable; not thread-safe. Keeps the files of at most kMostPeers processes open: an open one
/// stays with its process, so that a process id that is used again is noticed. Not counted: a
/// process that is gone, may not be read, has another program name than we (an id of another PID
/// namespace), or lives in another network namespace, whose table of sockets we do not see.
class PeerFinder {
 public:
  static constexpr std::size_t kMostPeers = 32;
  static constexpr std::uint64_t kEveryUs = 2'000'000;

  PeerFinder() = default;
  explicit PeerFinder(const PeerPaths& paths);

  /// The reading of the last two seconds, or a new one. Without a group no peer counts as of ours.
  /// Allocates nothing. `buffer` has to hold the longest line of the files, 4 KiB.
  const PeerReading& read(std::uint64_t now_us, const std::optional<PeerGroup>& group,
                          std::span<char> buffer);

 private:
  struct Peer {
    int pid = 0;
    KernelFile status;
    KernelFile cgroup;
  };
  using Pids = FixedVector<int, kMostPeers>;

  bool list_pids(std::span<char> buffer, Pids& pids) const;
  void match_peers(const Pids& pids);
  void open_peer(int pid);
  std::optional<std::uint64_t> read_anon(Peer& peer, std::span<char> buffer) const;
  void refresh(const std::optional<PeerGroup>& group, std::span<char> buffer);

  PeerPaths paths_;
  std::string path_;  ///< room for the longest path, so that opening allocates nothing
  std::string own_name_;
  std::string scope_;  ///< path of the group that counts; the same room
  KernelFile table_;
  KernelFile own_cgroup_;
  std::array<Peer, kMostPeers> peers_;
  PeerReading reading_;
  std::uint64_t read_us_ = 0;
};

/// The path of a process in v1's memory hierarchy or in v2, from its cgroup file; empty for none.
std::string_view find_group_path(std::string_view cgroup_text, bool is_v1);

/// Whether the group `path` is `scope` or below it. Paths above the own namespace ("/../x") are
/// below nothing but what begins alike.
bool is_in_group(std::string_view path, std::string_view scope);

}  // namespace kvpsi
