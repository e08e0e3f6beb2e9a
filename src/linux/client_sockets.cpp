// SPDX-License-Identifier: MIT
// See client_sockets.h. An accepted connection has the local port, or path, of its listener. Plain
// system calls and no memory from the heap: a signal handler may be the caller.
#include "linux/client_sockets.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/fixed_vector.h"
#include "linux/fd.h"

namespace kvpsi {
namespace {

/// Where a socket is bound, as far as it has in common with the connections that it accepts.
struct Place {
  sa_family_t family = AF_UNSPEC;  ///< AF_INET for both kinds of IP
  in_port_t port = 0;
  std::array<char, sizeof(sockaddr_un::sun_path)> path{};

  bool operator==(const Place&) const = default;
};

using Places = FixedVector<Place, 16>;

/// AF_UNSPEC for whatever is no socket that a server listens on by a name of its own.
Place place_of(int fd) {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
    sockaddr_storage storage;
  } address{};
  socklen_t size = sizeof address;
  Place place;
  if (::getsockname(fd, &address.any, &size) != 0) return place;
  if (address.any.sa_family == AF_INET) {
    place = {.family = AF_INET, .port = address.v4.sin_port};
  } else if (address.any.sa_family == AF_INET6) {
    place = {.family = AF_INET, .port = address.v6.sin6_port};
  } else if (address.any.sa_family == AF_UNIX && address.local.sun_path[0] != '\0') {
    place.family = AF_UNIX;
    std::memcpy(place.path.data(), address.local.sun_path, place.path.size());
  }
  return place;
}

bool listens(int fd) {
  int answer = 0;
  socklen_t size = sizeof answer;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &answer, &size) == 0 && answer != 0;
}

/// Calls visit(fd) for each open descriptor.
template <class Visit>
void for_each_descriptor(Visit visit) {
  const UniqueFd folder(::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  alignas(dirent64) std::array<char, 2048> buffer;
  while (true) {
    const long bytes = ::syscall(SYS_getdents64, folder.get(), buffer.data(), buffer.size());
    if (bytes <= 0) return;
    for (long at = 0; at < bytes;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      const std::string_view name(entry->d_name);
      int fd = -1;
      if (std::from_chars(name.data(), name.data() + name.size(), fd).ec == std::errc()) visit(fd);
      at += entry->d_reclen;
    }
  }
}

}  // namespace

unsigned hang_up_on_clients() {
  Places listeners;
  for_each_descriptor([&](int fd) {
    if (!listens(fd)) return;
    const Place place = place_of(fd);
    if (place.family != AF_UNSPEC) listeners.push_back(place);
  });
  unsigned hung_up = 0;
  for_each_descriptor([&](int fd) {
    if (listens(fd)) return;
    const Place place = place_of(fd);
    for (const Place& listener : listeners) {
      if (listener == place && ::shutdown(fd, SHUT_RD) == 0) ++hung_up;
    }
  });
  return hung_up;
}

}  // namespace kvpsi
