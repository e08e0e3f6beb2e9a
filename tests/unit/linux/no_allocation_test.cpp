// SPDX-License-Identifier: MIT
// A warm sample, a wait and a release allocate nothing: they run exactly when memory is short. All
// allocations of this test program pass the counting operators below.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "linux/kernel_source.h"
#include "linux/pages.h"
#include "linux/peers.h"
#include "support/fake_fs.h"
#include "support/stream_peer.h"

namespace {

std::atomic<std::uint64_t> g_allocations{0};

void* count_and_allocate(std::size_t size) {
  ++g_allocations;
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) std::abort();
  return block;
}

}  // namespace

void* operator new(std::size_t size) { return count_and_allocate(size); }
void* operator new[](std::size_t size) { return count_and_allocate(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

namespace kvpsi {
namespace {

using test::FakeFs;

template <class Work>
std::uint64_t count_allocations(Work&& work) {
  const std::uint64_t before = g_allocations.load();
  work();
  return g_allocations.load() - before;
}

TEST(NoAllocation, TheCounterCounts) {
  EXPECT_EQ(count_allocations([] { delete new volatile int; }), 1u);
}

std::uint64_t count_in_samples(KernelSource& source, int samples) {
  source.sample();
  return count_allocations([&] {
    for (int i = 0; i < samples; ++i) {
      source.wake();
      source.wait(1000);
      source.sample();
    }
  });
}

TEST(NoAllocation, SamplesOfThisMachine) {
  const auto source = KernelSource::open({});
  ASSERT_TRUE(source) << describe(source.error());
  EXPECT_EQ(count_in_samples(**source, 50), 0u);
}

TEST(NoAllocation, SamplesThatLookWhetherTheGroupChanged) {
  const FakeFs fs = FakeFs::v2("/a/b/c").with("sys/a/b/memory.max", "536870912\n");
  const auto source = KernelSource::open({.paths = {.roots = fs.roots()}});
  ASSERT_TRUE(source);
  (*source)->sample();
  const auto allocations = count_allocations([&] {
    for (int i = 0; i < 12; ++i) {  // the group's path is compared once a second
      (*source)->wait(100'000);
      (*source)->sample();
    }
  });
  EXPECT_EQ(allocations, 0u);
}

TEST(NoAllocation, PeersThatComeAndGo) {
  const FakeFs fs = FakeFs::v2("/a/b").with("sys/a/memory.max", "536870912\n");
  const std::string listed = "0: 2 0 1 1 1 9 @kvpsi-7\n0: 2 0 1 1 1 9 @kvpsi-8\n";
  const std::string gone = "0: 2 0 1 1 1 9 @kvpsi-8\n";
  fs.write("proc/net/unix", gone);
  for (const char* pid : {"7", "8"}) {
    fs.write(std::string("proc/") + pid + "/status", "Name:\tkvpsi\nRssAnon:\t1024 kB\n");
    fs.write(std::string("proc/") + pid + "/cgroup", "0::/a/c\n");
  }
  PeerFinder finder({.proc = fs.at("proc"), .unix_table = fs.at("proc/net/unix"), .own_pid = 1});
  std::vector<char> buffer(32 * 1024);
  finder.read(1, PeerGroup{.levels_up = 1}, buffer);
  for (std::uint64_t i = 1; i < 9; ++i) {
    fs.write("proc/net/unix", i % 2 == 0 ? gone : listed);
    const std::uint64_t want = (i % 2 == 0 ? 1024u : 2048u) * 1024;
    std::uint64_t got = 0;
    const auto allocations = count_allocations([&] {
      got = finder.read(1 + i * PeerFinder::kEveryUs, PeerGroup{.levels_up = 1}, buffer)
                .group_anon_bytes.value_or(0);
    });
    EXPECT_EQ(allocations, 0u) << i;
    EXPECT_EQ(got, want) << i;
  }
}

TEST(NoAllocation, SamplesWithFilesMissing) {
  const FakeFs fs = FakeFs::none().without("proc/pressure").without("proc/vmstat");
  const auto source = KernelSource::open({.paths = {.roots = fs.roots()}});
  ASSERT_TRUE(source);
  EXPECT_EQ(count_in_samples(**source, 20), 0u);
}

TEST(NoAllocation, StreamsAreDrainedInPlace) {
  const FakeFs fs = FakeFs::none();
  const test::FifoPeer peer(fs.at("fifo"));
  const auto source =
      KernelSource::open({.paths = {.roots = fs.roots(), .psi_own = fs.at("fifo")}});
  ASSERT_TRUE(source);
  (*source)->sample();
  const std::string lines = FakeFs::psi(1, 1) + "garbage\n" + FakeFs::psi(2, 2);
  const auto allocations = count_allocations([&] {
    peer.send(lines);
    (*source)->wait(1'000'000);
    (*source)->sample();
  });
  EXPECT_EQ(allocations, 0u);
  EXPECT_EQ((*source)->sample().psi_own, (PsiTotals{2, 2}));
}

TEST(NoAllocation, ReleaseAndMeasure) {
  constexpr std::size_t kBytes = 1 << 20;
  void* block = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const auto at = reinterpret_cast<std::uintptr_t>(block);
  const PageRange range{at, at + kBytes};
  ASSERT_TRUE(resident_exclusive_bytes({&range, 1}));  // opens the page map
  const auto allocations = count_allocations([&] {
    static_cast<volatile char*>(block)[0] = 1;
    const auto released = release_pages({&range, 1}, 0);
    const auto resident = resident_exclusive_bytes({&range, 1});
    EXPECT_TRUE(released && resident == 0u);
  });
  EXPECT_EQ(allocations, 0u);
  ::munmap(block, kBytes);
}

}  // namespace
}  // namespace kvpsi
