// SPDX-License-Identifier: MIT
// Finding other governed processes: on fixtures every odd case, on this machine a real socket and a
// real process.
#include "linux/peers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "linux/kernel_source.h"
#include "linux/status_name.h"
#include "support/fake_fs.h"

namespace kvpsi {
namespace {

using test::FakeFs;

constexpr int kOwnPid = 100;

std::string socket_line(const std::string& name) {
  return "0000000000000000: 00000002 00000000 00010000 0001 01 1234 @" + name + "\n";
}

/// A machine of v2 groups, we are in /app/engine, and processes can be added to it.
struct Machine {
  explicit Machine(FakeFs made = FakeFs::v2("/app/engine")) : fs(std::move(made)) {
    write_table("");
  }
  void write_table(const std::string& lines) {
    fs.write("proc/net/unix", "Num       RefCount Protocol Flags    Type St Inode Path\n" + lines);
  }
  void add(int pid, std::uint64_t anon_mib, const std::string& cgroup,
           const std::string& name = "kvpsi", const std::string& users = "0\t0\t0\t0") {
    const std::string folder = "proc/" + std::to_string(pid);
    fs.write(folder + "/status", "Name:\t" + name + "\nUid:\t" + users + "\nRssAnon:\t" +
                                     std::to_string(anon_mib * 1024) +
                                     " kB\nRssFile:\t0 kB\nCapEff:\t0000000000000000\n");
    fs.write(folder + "/cgroup", cgroup);
  }
  PeerFinder finder() const {
    return PeerFinder(
        {.proc = fs.at("proc"), .unix_table = fs.at("proc/net/unix"), .own_pid = kOwnPid});
  }
  FakeFs fs;
};

std::vector<char> make_buffer() { return std::vector<char>(32 * 1024); }

PeerReading read_once(PeerFinder finder, std::optional<PeerGroup> group = std::nullopt) {
  std::vector<char> buffer = make_buffer();
  return finder.read(1, group, buffer);
}

TEST(StatusName, NamesAProcessOrNothing) {
  EXPECT_EQ(parse_status_name("0: 2 0 1 1 01 9 @kvpsi-42"), (ListedProcess{42, true}));
  EXPECT_EQ(parse_status_name("0: 2 0 1 1 01 9 @kvpsi-42-watching"), (ListedProcess{42, false}));
  EXPECT_EQ(parse_status_name("0: 9 @kvpsi-1-ns4026531836"), (ListedProcess{1, true, 4026531836}));
  for (const char* other :
       {"", "@kvpsi-42", "0: @kvpsi-", "0: @kvpsi--1", "0: @kvpsi-0", "0: @kvpsi-4x",
        "0: @kvpsi-4 ", "0: @kvpsi-99999999999", "0: @kvpsi--watching", "0: /run/kvpsi-4",
        "0: @other-4", "0: @kvpsi-4-ns", "0: @kvpsi-4-ns0", "0: @kvpsi-4-nsx", "0: @kvpsi-4-ns7x",
        "0: @kvpsi-4-ns99999999999999999999"}) {
    EXPECT_FALSE(parse_status_name(other)) << other;
  }
}

TEST(StatusName, IsReadAsItIsWritten) {
  for (const ListedProcess& process : {ListedProcess{7, true}, ListedProcess{7, false},
                                       ListedProcess{7, true, 9}, ListedProcess{7, false, 9}}) {
    EXPECT_EQ(parse_status_name("0: 1 @" + format_status_name(process)), process);
  }
  EXPECT_TRUE((ListedProcess{7, true, 9}.is_of_namespace(9)));
  EXPECT_TRUE((ListedProcess{7, true, 9}.is_of_namespace(0)));
  EXPECT_TRUE((ListedProcess{7, true, 0}.is_of_namespace(9)));
  EXPECT_FALSE((ListedProcess{7, true, 8}.is_of_namespace(9)));
}

TEST(GroupPath, IsTakenFromTheRightHierarchy) {
  const std::string text = "12:cpu,cpuacct:/c\n4:hugetlb,memory:/m/x\n1:name=systemd:/s\n0::/u/y\n";
  EXPECT_EQ(find_group_path(text, true), "/m/x");
  EXPECT_EQ(find_group_path(text, false), "/u/y");
  EXPECT_EQ(find_group_path("0::/only\n", true), "");
  EXPECT_EQ(find_group_path("garbage\n:\n::\n", false), "");
  EXPECT_EQ(find_group_path("4:memory_x:/m\n", true), "");
}

TEST(GroupPath, InsideIsEqualOrBelow) {
  EXPECT_TRUE(is_in_group("/a/b", "/a/b"));
  EXPECT_TRUE(is_in_group("/a/b/c", "/a/b"));
  EXPECT_FALSE(is_in_group("/a/bc", "/a/b"));
  EXPECT_FALSE(is_in_group("/a", "/a/b"));
  EXPECT_TRUE(is_in_group("/a", "/"));
  EXPECT_TRUE(is_in_group("/", "/"));
  EXPECT_FALSE(is_in_group("/../beside", "/")) << "outside of our cgroup namespace";
  EXPECT_FALSE(is_in_group("", "/"));
  EXPECT_FALSE(is_in_group("/a", ""));
}

TEST(Peers, CountsTheOthersOfTheMachineAndOfTheGroup) {
  Machine machine;
  machine.write_table(socket_line("kvpsi-100") + socket_line("kvpsi-7") + socket_line("kvpsi-8") +
                      socket_line("kvpsi-7") + socket_line("kvpsi-9") +
                      socket_line("kvpsi-10-watching") + socket_line("dbus-11"));
  machine.add(kOwnPid, 1000, "0::/app/engine\n");
  machine.add(7, 10, "0::/app/engine\n");
  machine.add(8, 20, "0::/app/other/deep\n");
  machine.add(9, 40, "0::/elsewhere\n");
  machine.add(10, 80, "0::/app/engine\n");
  machine.add(11, 160, "0::/app/engine\n");
  EXPECT_EQ(read_once(machine.finder()), (PeerReading{70 * kMiB, std::nullopt}));
  EXPECT_EQ(read_once(machine.finder(), PeerGroup{}), (PeerReading{70 * kMiB, 10 * kMiB}));
  EXPECT_EQ(read_once(machine.finder(), PeerGroup{.levels_up = 1}),
            (PeerReading{70 * kMiB, 30 * kMiB}));
  EXPECT_EQ(read_once(machine.finder(), PeerGroup{.levels_up = 2}),
            (PeerReading{70 * kMiB, 70 * kMiB}));
  EXPECT_EQ(read_once(machine.finder(), PeerGroup{.levels_up = 3}),
            (PeerReading{70 * kMiB, std::nullopt}));
}

TEST(Peers, StaleSocketsReusedIdsAndUnreadableOnesDoNotCount) {
  Machine machine;
  machine.write_table(socket_line("kvpsi-7") + socket_line("kvpsi-8") + socket_line("kvpsi-9") +
                      socket_line("kvpsi-10"));
  machine.add(8, 20, "0::/app/engine\n", "postgres");
  machine.fs.write("proc/9/status", "Name:\tkvpsi\nState:\tZ (zombie)\nCapEff:\t0\n");
  machine.fs.write("proc/10/status", "");
  EXPECT_EQ(read_once(machine.finder(), PeerGroup{}), (PeerReading{0, 0}));
}

TEST(Peers, OfStrangersNoneCountsAndTheNamesTheyTakeCrowdNobodyOut) {
  Machine machine;
  const std::string self = "Name:\tkvpsi\nUid:\t1000\t1001\t0\t0\nRssAnon:\t1 kB\n";
  machine.fs.write("proc/self/status", self);
  std::string lines;
  for (int pid = 1000; pid < 1400; ++pid) {
    lines += socket_line("kvpsi-" + std::to_string(pid));
    if (pid % 3 == 0) continue;  // no such process
    machine.add(pid, 1, "0::/app/engine\n", pid % 3 == 1 ? "kvpsi" : "sleep",
                pid % 3 == 1 ? "1001\t1002\t1001\t1001" : "1001\t1001\t1001\t1001");
  }
  lines += socket_line("kvpsi-7") + socket_line("kvpsi-8");
  machine.write_table(lines);
  machine.add(7, 10, "0::/app/engine\n", "kvpsi", "5\t1001\t5\t5");
  machine.add(8, 20, "0::/app/engine\n", "kvpsi", "0\t0\t0\t0");
  PeerFinder finder = machine.finder();
  std::vector<char> buffer = make_buffer();
  std::uint64_t now_us = 1;
  for (int i = 0; i < 402 / static_cast<int>(PeerFinder::kMostTries) + 1; ++i) {
    finder.read(now_us, PeerGroup{}, buffer);
    now_us += PeerFinder::kEveryUs;
  }
  for (int i = 0; i < 3; ++i) {  // once found, they stay
    EXPECT_EQ(finder.read(now_us, PeerGroup{}, buffer), (PeerReading{30 * kMiB, 30 * kMiB})) << i;
    now_us += PeerFinder::kEveryUs;
  }
}

TEST(Peers, OfOtherPidNamespacesDoNotCount) {
  Machine machine;
  machine.write_table(socket_line("kvpsi-7-ns5") + socket_line("kvpsi-8-ns6") +
                      socket_line("kvpsi-9"));
  for (const int pid : {7, 8, 9}) machine.add(pid, 10, "0::/app/engine\n");
  PeerPaths paths{.proc = machine.fs.at("proc"),
                  .unix_table = machine.fs.at("proc/net/unix"),
                  .own_pid = kOwnPid,
                  .pid_namespace = 5};
  EXPECT_EQ(read_once(PeerFinder(paths)).anon_bytes, 20 * kMiB);
  paths.pid_namespace = 0;
  EXPECT_EQ(read_once(PeerFinder(paths)).anon_bytes, 30 * kMiB);
}

TEST(Peers, WithoutATableNobodyCanTell) {
  Machine machine;
  machine.fs.remove("proc/net/unix");
  EXPECT_EQ(read_once(machine.finder(), PeerGroup{}), PeerReading());
  std::vector<char> buffer = make_buffer();
  EXPECT_EQ(PeerFinder().read(1, PeerGroup{}, buffer), PeerReading());
}

TEST(Peers, ComeAndGoEveryTwoSeconds) {
  Machine machine;
  PeerFinder finder = machine.finder();
  std::vector<char> buffer = make_buffer();
  EXPECT_EQ(finder.read(5'000'000, std::nullopt, buffer).anon_bytes, 0u);
  machine.write_table(socket_line("kvpsi-7"));
  machine.add(7, 10, "0::/app/engine\n");
  EXPECT_EQ(finder.read(6'999'999, std::nullopt, buffer).anon_bytes, 0u) << "still the old reading";
  EXPECT_EQ(finder.read(7'000'000, std::nullopt, buffer).anon_bytes, 10 * kMiB);
  machine.add(7, 30, "0::/app/engine\n");
  EXPECT_EQ(finder.read(9'000'000, std::nullopt, buffer).anon_bytes, 30 * kMiB);
  machine.write_table("");
  EXPECT_EQ(finder.read(11'000'000, std::nullopt, buffer).anon_bytes, 0u);
}

TEST(Peers, LongTablesAreReadInPiecesAndManyPeersAreBounded) {
  Machine machine;
  std::string lines;
  for (int i = 0; i < 3000; ++i) {
    lines +=
        socket_line("/run/some/service-" + std::string(static_cast<std::size_t>(i % 100), 'x'));
    if (i % 60 == 59) lines += socket_line("kvpsi-" + std::to_string(1000 + i));
    if (i % 60 == 59) machine.add(1000 + i, 1, "0::/app/engine\n");
  }
  machine.write_table(lines);
  PeerFinder finder = machine.finder();
  for (const std::size_t size : {std::size_t{4096}, std::size_t{32 * 1024}}) {
    std::vector<char> buffer(size);
    PeerFinder fresh = machine.finder();
    EXPECT_EQ(fresh.read(1, PeerGroup{}, buffer),
              (PeerReading{PeerFinder::kMostPeers * kMiB, PeerFinder::kMostPeers * kMiB}));
  }
}

TEST(Peers, TheSampleCarriesThem) {
  Machine machine(FakeFs::v2("/app/engine").with("sys/app/memory.max", "536870912\n"));
  machine.write_table(socket_line("kvpsi-7") + socket_line("kvpsi-8"));
  machine.add(7, 10, "0::/app/other\n");
  machine.add(8, 20, "0::/else\n");
  const auto source = KernelSource::open({.paths = {.roots = machine.fs.roots()}});
  ASSERT_TRUE(source);
  const Sample sample = (*source)->sample();
  EXPECT_EQ(sample.peers_anon_bytes, 30 * kMiB);
  EXPECT_EQ(sample.group_peers_anon_bytes, 10 * kMiB) << "the limit is one level above us";
}

TEST(Peers, OfV1AreThoseUnderItsMemoryLimit) {
  Machine machine(FakeFs::hybrid("/process_api/7", "/bench/engine")
                      .with("sys/memory/process_api/7/memory.limit_in_bytes", "268435456\n"));
  machine.write_table(socket_line("kvpsi-7") + socket_line("kvpsi-8"));
  machine.add(7, 10, "4:memory:/process_api/7/sub\n0::/elsewhere\n");
  machine.add(8, 20, "4:memory:/process_api/8\n0::/bench/engine\n");
  const auto source = KernelSource::open({.paths = {.roots = machine.fs.roots()}});
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->sample().group_peers_anon_bytes, 10 * kMiB);
}

/// A child of this program (so of its name) that listens as if it were governed, until it is
/// killed.
class RealPeer {
 public:
  RealPeer() {
    int ready[2];
    if (::pipe(ready) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) listen_and_wait(ready[1]);
    ::close(ready[1]);
    char byte = 0;
    is_listening_ = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
  }
  ~RealPeer() { end(); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  bool is_listening() const { return is_listening_; }

 private:
  [[noreturn]] static void listen_and_wait(int ready) {
    const std::string name = std::string(1, '\0') + "kvpsi-" + std::to_string(::getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    if (::bind(fd, generic, size) == 0 && ::listen(fd, 1) == 0 && ::write(ready, "x", 1) == 1) {
      ::pause();
    }
    ::_exit(0);
  }
  pid_t pid_ = 0;
  bool is_listening_ = false;
};

TEST(Peers, OfThisMachineAreFoundAndForgotten) {
  std::vector<char> buffer = make_buffer();
  PeerFinder finder({.own_pid = ::getpid()});
  const auto before = finder.read(1, PeerGroup{}, buffer).anon_bytes;
  if (!before) GTEST_SKIP() << "no table of unix sockets here";
  RealPeer peer;
  ASSERT_TRUE(peer.is_listening());
  const PeerReading with = finder.read(10'000'000, PeerGroup{}, buffer);
  // Other processes of this program may come and go while tests run side by side.
  EXPECT_GT(with.anon_bytes.value_or(0), 100 * kKiB);
  EXPECT_LT(with.anon_bytes.value_or(0), 10 * kGiB);
  const std::uint64_t start_us = monotonic_us();
  for (int i = 0; i < 100; ++i) {
    finder.read(20'000'000 + static_cast<std::uint64_t>(i) * PeerFinder::kEveryUs, PeerGroup{},
                buffer);
  }
  RecordProperty("refresh_us", std::to_string((monotonic_us() - start_us) / 100));
  peer.end();
  EXPECT_LT(finder.read(1'000'000'000, PeerGroup{}, buffer).anon_bytes, with.anon_bytes);
}

}  // namespace
}  // namespace kvpsi
