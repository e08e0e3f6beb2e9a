// SPDX-License-Identifier: MIT
// What looking for other governed processes costs on this machine, every two seconds, and what a
// whole sample costs beside it.
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "linux/kernel_source.h"
#include "linux/peers.h"

namespace kvpsi {
namespace {

/// A socket by which this process looks governed.
int open_status_socket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "kvpsi-" + std::to_string(::getpid());
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  ::bind(fd, generic, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size()));
  return fd;
}

/// With one peer (ourselves), and as many other sockets in the kernel's table.
void refresh_peers(benchmark::State& bench) {
  std::vector<int> sockets{open_status_socket()};
  for (std::int64_t i = 0; i < bench.range(0); ++i) {
    sockets.push_back(::socket(AF_UNIX, SOCK_STREAM, 0));
  }
  PeerFinder finder(PeerPaths{.own_pid = 1});
  std::vector<char> buffer(32 * 1024);
  std::uint64_t now_us = 0;
  std::uint64_t found = 0;
  for (auto _ : bench) {
    now_us += PeerFinder::kEveryUs;
    found += finder.read(now_us, PeerGroup{}, buffer).anon_bytes.value_or(0) != 0 ? 1 : 0;
  }
  if (found == 0) bench.SkipWithError("the peer was not found");
  for (const int fd : sockets) ::close(fd);
}

void take_sample(benchmark::State& bench) {
  const auto source = KernelSource::open({});
  for (auto _ : bench) benchmark::DoNotOptimize((*source)->sample());
}

BENCHMARK(refresh_peers)->ArgName("sockets")->Arg(0)->Arg(900);
BENCHMARK(take_sample);

}  // namespace
}  // namespace kvpsi
