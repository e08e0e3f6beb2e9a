// SPDX-License-Identifier: MIT
// The names by which governed processes of a machine find each other: abstract unix sockets
// "@kvpsi-<pid>" and "@kvpsi-<pid>-watching", listed by the kernel in /proc/net/unix, gone with
// their process. Pure. Next hops: peers.h counts them, cli/status_socket.h opens and asks them.
#pragma once

#include <optional>
#include <string_view>

namespace kvpsi {

inline constexpr std::string_view kStatusNamePrefix = "kvpsi-";
/// Ends the name of a process that gives up nothing sized by need: others do not count on it.
inline constexpr std::string_view kStatusNameWatching = "-watching";

/// A process that one line of the table names.
struct ListedProcess {
  int pid = 0;
  bool shares_need = false;

  bool operator==(const ListedProcess&) const = default;
};

/// The process that a line of /proc/net/unix names; empty for every other line. Allocates nothing.
std::optional<ListedProcess> parse_status_name(std::string_view line);

}  // namespace kvpsi
