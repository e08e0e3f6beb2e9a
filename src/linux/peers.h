// SPDX-License-Identifier: MIT
// PeerFinder: how much memory the other governed processes hold that give up context too, so that
// a shortage is shared in proportion. Nobody talks to anybody: the kernel's files name the peers
// (status_name.h), their size and user (/proc/PID/status) and their group (/proc/PID/cgroup). Must
// not trust a name, which anybody may take; must not judge what a share is: policy/share.h does.
// Next hop: kernel_source puts it into the sample.
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
  std::uint64_t pid_namespace = 0;  ///< own; 0: unknown, then all names count
};

/// Movable; not thread-safe. Keeps the files of at most kMostPeers processes open: an open one
/// stays with its process, so that a process id that is used again is noticed. Not counted: a
/// process that is gone, may not be read, belongs to a user other than ours or root, has another
/// program name than we, or lives in another PID namespace, whose ids mean nothing here, or another
/// network namespace, whose table of sockets we do not see. Only who is verified takes one of the
/// places, so that names alone crowd nobody out.
class PeerFinder {
 public:
  static constexpr std::size_t kMostPeers = 32;
  /// Names that a reading verifies at most; where there are more, the next one goes on with those
  /// behind them. Verifying takes two to twenty microseconds.
  static constexpr std::size_t kMostTries = 64;
  static constexpr std::uint64_t kEveryUs = 2'000'000;

  PeerFinder() = default;
  explicit PeerFinder(const PeerPaths& paths);

  /// The reading of the last two seconds, or a new one. Without a group no peer counts as of ours.
  /// Allocates nothing. `buffer` has to hold the longest line of the files, 4 KiB.
  const PeerReading& read(std::uint64_t now_us, const std::optional<PeerGroup>& group,
                          std::span<char> buffer);

 private:
  struct Peer {
    int pid = 0;  ///< 0: a free place
    bool is_listed = false;
    KernelFile status;
    KernelFile cgroup;
  };
  using Pids = FixedVector<int, kMostTries>;

  bool list_strangers(std::span<char> buffer, Pids& strangers);
  void match_peers(const Pids& strangers, std::span<char> buffer);
  void open_peer(Peer& place, int pid, std::span<char> buffer);
  bool is_peer(std::string_view status_text) const;
  std::optional<std::uint64_t> read_anon(Peer& peer, std::span<char> buffer) const;
  void refresh(const std::optional<PeerGroup>& group, std::span<char> buffer);

  PeerPaths paths_;
  std::string path_;  ///< room for the longest path, so that opening allocates nothing
  std::string own_name_;
  std::optional<std::uint64_t> own_user_;
  std::size_t first_try_ = 0;  ///< strangers of the table that the next reading passes over
  std::string scope_;          ///< path of the group that counts; the same room
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
