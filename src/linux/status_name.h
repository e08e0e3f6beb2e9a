// SPDX-License-Identifier: MIT
// The names by which governed processes of a machine find each other: abstract unix sockets
// "@kvpsi-<pid>-ns<inode of its PID namespace>", with "-watching" behind it for one that nobody
// counts on, listed by the kernel in /proc/net/unix, gone with their process. Anybody may take such
// a name: it is a hint, to be verified. Pure. Next hops: peers.h counts the processes,
// cli/status_socket.h opens and asks them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvpsi {

inline constexpr std::string_view kStatusNamePrefix = "kvpsi-";
/// Comes before the PID namespace: every container has a process 1, and several may share one
/// network namespace, where the names live.
inline constexpr std::string_view kStatusNameSpace = "-ns";
/// Ends the name of a process that gives up nothing sized by need: others do not count on it.
inline constexpr std::string_view kStatusNameWatching = "-watching";

/// A process that one line of the table names.
struct ListedProcess {
  int pid = 0;  ///< within its PID namespace
  bool shares_need = false;
  std::uint64_t pid_namespace = 0;  ///< 0: the name does not tell

  /// Whether `pid` can mean a process of the namespace `own` (0: unknown).
  bool is_of_namespace(std::uint64_t own) const {
    return pid_namespace == 0 || own == 0 || pid_namespace == own;
  }

  bool operator==(const ListedProcess&) const = default;
};

/// The process that a line of /proc/net/unix names; empty for every other line. Allocates nothing.
std::optional<ListedProcess> parse_status_name(std::string_view line);

/// The name itself, without the '@' that the kernel shows for its first byte.
std::string format_status_name(const ListedProcess& process);

}  // namespace kvpsi
