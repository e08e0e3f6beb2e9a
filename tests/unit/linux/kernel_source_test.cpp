// SPDX-License-Identifier: MIT
// KernelSource on fixture machines: what each kind of machine gives, injection by FIFO and socket,
// recovery from lost files, and what bad paths get.
#include "linux/kernel_source.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "base/clock.h"
#include "support/fake_fs.h"
#include "support/stream_peer.h"

namespace kvpsi {
namespace {

using test::FakeFs;

std::unique_ptr<KernelSource> open_source(const FakeFs& fs, KernelSourceOptions options = {}) {
  options.paths.roots = fs.roots();
  auto source = KernelSource::open(options);
  EXPECT_TRUE(source) << (source ? "" : describe(source.error()));
  return source ? std::move(*source) : nullptr;
}

/// Samples every 50 ms until `is_good` or 5 s are over.
template <class IsGood>
bool comes_true(KernelSource& source, IsGood&& is_good) {
  const std::uint64_t start_us = monotonic_us();
  while (monotonic_us() - start_us < 5'000'000) {
    if (is_good(source.sample())) return true;
    source.wait(50'000);
  }
  return false;
}

TEST(KernelSource, V2GivesOwnParentSystemAndLimits) {
  const FakeFs fs = FakeFs::v2("/top/app/engine")
                        .with("sys/top/app/engine/memory.pressure", FakeFs::psi(50, 20))
                        .with("sys/top/app/memory.pressure", FakeFs::psi(900, 300))
                        .with("sys/top/app/memory.max", "536870912\n");
  const auto source = open_source(fs);
  ASSERT_TRUE(source);
  source->set_file_wanted_bytes(77);
  const Sample sample = source->sample();
  EXPECT_EQ(sample.psi_own, (PsiTotals{50, 20}));
  EXPECT_EQ(sample.psi_parent, (PsiTotals{900, 300}));
  EXPECT_EQ(sample.psi_system, (PsiTotals{3000, 1000}));
  EXPECT_EQ(sample.group_limit_bytes, 512ULL << 20);
  EXPECT_EQ(sample.mem_total_bytes, 8ULL << 30);
  EXPECT_EQ(sample.own_file_wanted_bytes, 77u);
  EXPECT_GT(sample.t_us, 0u);
  EXPECT_EQ(source->facts().limit_dir, fs.at("sys/top/app"));
  const std::string words = source->describe();
  EXPECT_NE(words.find("own PSI: " + fs.at("sys/top/app/engine/memory.pressure")),
            std::string::npos)
      << words;
  EXPECT_EQ(words.find('\n'), std::string::npos);
}

TEST(KernelSource, AParentThatOnlyRepeatsUsIsPassedOver) {
  const FakeFs fs = FakeFs::v2("/top/app/engine")
                        .with("sys/top/app/engine/memory.pressure", FakeFs::psi(50, 20))
                        .with("sys/top/app/memory.pressure", FakeFs::psi(50, 20))
                        .with("sys/top/memory.pressure", FakeFs::psi(70, 20));
  EXPECT_EQ(open_source(fs)->sample().psi_parent, (PsiTotals{70, 20}));
  fs.write("sys/top/memory.pressure", FakeFs::psi(50, 20));
  EXPECT_EQ(open_source(fs)->facts().parent.path, fs.at("sys/top/app/memory.pressure"));
}

TEST(KernelSource, TheRootIsNobodysParent) {
  const auto source = open_source(FakeFs::v2("/engine"));
  const Sample sample = source->sample();
  EXPECT_TRUE(sample.psi_own);
  EXPECT_FALSE(sample.psi_parent);
}

TEST(KernelSource, HybridGivesV1LimitsAndV2Pressure) {
  const FakeFs fs = FakeFs::hybrid("/process_api/7", "/bench/engine")
                        .with("sys/memory/process_api/7/memory.limit_in_bytes", "268435456\n")
                        .with("sys/memory/process_api/7/memory.failcnt", "9\n");
  const Sample sample = open_source(fs)->sample();
  EXPECT_TRUE(sample.psi_own);
  EXPECT_TRUE(sample.psi_parent);
  EXPECT_EQ(sample.group_limit_bytes, 256ULL << 20);
  EXPECT_EQ(sample.group_limit_hits_total, 9u);
}

TEST(KernelSource, InTheRootOfV2OnlyTheSystemIsMeasured) {
  const auto source = open_source(FakeFs::hybrid("/process_api/7", "/"));
  const Sample sample = source->sample();
  EXPECT_FALSE(sample.psi_own);
  EXPECT_FALSE(sample.psi_parent);
  EXPECT_TRUE(sample.psi_system);
  EXPECT_NE(source->describe().find("the own group is the v2 root"), std::string::npos);
}

TEST(KernelSource, V1GivesLimitsAndSystemPressure) {
  const FakeFs fs =
      FakeFs::v1("/docker/abc").with("sys/memory/docker/abc/memory.limit_in_bytes", "268435456\n");
  const Sample sample = open_source(fs)->sample();
  EXPECT_FALSE(sample.psi_own);
  EXPECT_TRUE(sample.psi_system);
  EXPECT_EQ(sample.group_limit_bytes, 256ULL << 20);
}

TEST(KernelSource, WithoutPsiTheRestStillWorks) {
  const auto source = open_source(FakeFs::none().without("proc/pressure"));
  const Sample sample = source->sample();
  EXPECT_FALSE(sample.psi_own || sample.psi_parent || sample.psi_system);
  EXPECT_EQ(sample.mem_available_bytes, 4ULL << 30);
  EXPECT_EQ(source->wait(1000), Wake::timeout);
  EXPECT_NE(source->describe().find("system PSI: none ("), std::string::npos);
}

TEST(KernelSource, WithoutAnyProcItStillAnswers) {
  const auto source =
      KernelSource::open({.paths = {.roots = {.proc = "/nonexistent", .sys = "/nonexistent"}}});
  ASSERT_TRUE(source);
  const Sample sample = (*source)->sample();
  EXPECT_FALSE(sample.mem_total_bytes);
  EXPECT_EQ((*source)->wait(0), Wake::timeout);
}

TEST(KernelSource, AGivenPathThatCannotBeUsedIsAnError) {
  const FakeFs fs = FakeFs::v2().with("empty", "");
  for (auto member : {&KernelPaths::psi_own, &KernelPaths::psi_parent, &KernelPaths::psi_system}) {
    KernelSourceOptions options{.paths = {.roots = fs.roots()}};
    options.paths.*member = fs.at("absent");
    EXPECT_EQ(KernelSource::open(options).error().code, ErrorCode::not_found);
    options.paths.*member = fs.at("empty");
    EXPECT_EQ(KernelSource::open(options).error().code, ErrorCode::malformed);
  }
  KernelSourceOptions options{.paths = {.roots = fs.roots()}, .watch_path = "relative"};
  EXPECT_EQ(KernelSource::open(options).error().code, ErrorCode::invalid_argument);
}

TEST(KernelSource, AFifoInPlaceOfTheOwnFileInjectsPressure) {
  const FakeFs fs = FakeFs::v2();
  const test::FifoPeer peer(fs.at("fifo"));
  const auto source = open_source(fs, {.paths = {.psi_own = fs.at("fifo")}});
  ASSERT_TRUE(source);
  EXPECT_FALSE(source->sample().psi_own);
  EXPECT_EQ(source->wait(1000), Wake::timeout);
  peer.send(FakeFs::psi(0, 0));
  EXPECT_EQ(source->wait(5'000'000), Wake::trigger);
  EXPECT_EQ(source->sample().psi_own, (PsiTotals{0, 0}));
  peer.send(FakeFs::psi(60000, 20000));
  EXPECT_EQ(source->wait(5'000'000), Wake::trigger);
  EXPECT_EQ(source->wait(1000), Wake::timeout) << "drained: one write is one wake-up";
  EXPECT_EQ(source->sample().psi_own, (PsiTotals{60000, 20000}));
}

TEST(KernelSource, SocketsInjectSystemAndParentPressure) {
  const FakeFs fs = FakeFs::none();
  test::SocketPeer system(fs.at("system"));
  test::SocketPeer parent(fs.at("parent"));
  const auto source =
      open_source(fs, {.paths = {.psi_parent = fs.at("parent"), .psi_system = fs.at("system")}});
  ASSERT_TRUE(source);
  system.accept();
  parent.accept();
  system.send(FakeFs::psi(10, 1));
  parent.send(FakeFs::psi(20, 2));
  EXPECT_EQ(source->wait(5'000'000), Wake::trigger);
  const Sample sample = source->sample();
  EXPECT_EQ(sample.psi_system, (PsiTotals{10, 1}));
  EXPECT_EQ(sample.psi_parent, (PsiTotals{20, 2}));
}

TEST(KernelSource, ALostSocketIsConnectedAgainWithoutBusyWaiting) {
  const FakeFs fs = FakeFs::none();
  test::SocketPeer peer(fs.at("system"));
  const auto source = open_source(fs, {.paths = {.psi_system = fs.at("system")}});
  peer.accept();
  peer.send(FakeFs::psi(10, 1));
  ASSERT_EQ(source->wait(5'000'000), Wake::trigger);
  peer.hang_up();
  EXPECT_EQ(source->wait(5'000'000), Wake::trigger) << "a lost source is worth a look";
  EXPECT_FALSE(source->sample().psi_system);
  EXPECT_EQ(source->wait(20'000), Wake::timeout);
  source->wait(1'000'000);
  source->sample();
  peer.accept();
  peer.send(FakeFs::psi(30, 3));
  EXPECT_TRUE(comes_true(*source, [](const Sample& s) { return s.psi_system.has_value(); }));
  EXPECT_EQ(source->sample().psi_system, (PsiTotals{30, 3}));
}

TEST(KernelSource, TheWatchWakesWithoutBeingTakenForPsi) {
  const FakeFs fs = FakeFs::none();
  test::SocketPeer peer(fs.at("watch"));
  const auto source = open_source(fs, {.watch_path = fs.at("watch"), .watch_write_base64 = "Zm9v"});
  peer.accept();
  EXPECT_EQ(peer.receive(), "foo");
  EXPECT_EQ(source->wait(1000), Wake::timeout);
  EXPECT_EQ(source->sample().pressure_hints_total, 0u);
  peer.send(FakeFs::psi(999, 999));
  EXPECT_EQ(source->wait(5'000'000), Wake::trigger);
  EXPECT_EQ(source->sample().psi_system, (PsiTotals{3000, 1000}));
  EXPECT_EQ(source->sample().pressure_hints_total, 1u);
  peer.hang_up();
  EXPECT_EQ(source->wait(20'000), Wake::timeout);
  EXPECT_NE(source->describe().find("(lost)"), std::string::npos);
}

TEST(KernelSource, AWatchOnAFifoCountsHintsButNotItsOwnData) {
  const FakeFs fs = FakeFs::none();
  const test::FifoPeer peer(fs.at("watch"));
  const auto source = open_source(fs, {.watch_path = fs.at("watch"), .watch_write_base64 = "Zm9v"});
  ASSERT_TRUE(source);
  EXPECT_EQ(source->wait(20'000), Wake::timeout) << "reading back our own data is no wake-up";
  EXPECT_EQ(source->sample().pressure_hints_total, 0u);
  peer.send("x");
  EXPECT_EQ(source->wait(5'000'000), Wake::trigger);
  EXPECT_EQ(source->sample().pressure_hints_total, 1u);
}

TEST(KernelSource, ASwitchedOffWatchIsSaidAndAbsent) {
  const auto source = open_source(FakeFs::none(), {.watch_path = "/dev/null"});
  ASSERT_TRUE(source);
  EXPECT_FALSE(source->sample().pressure_hints_total);
  EXPECT_NE(source->describe().find("watch: switched off"), std::string::npos);
  EXPECT_EQ(open_source(FakeFs::none())->describe().find("watch"), std::string::npos);
}

TEST(KernelSource, AWatchThatIsNotThereIsSaidAndNotFatal) {
  const FakeFs fs = FakeFs::none();
  const auto source = open_source(fs, {.watch_path = fs.at("gone")});
  EXPECT_NE(source->describe().find("names nothing that is here"), std::string::npos);
}

TEST(KernelSource, ACounterThatRunsBackwardsGivesOneEmptyFieldAndComesBack) {
  const FakeFs fs = FakeFs::v2().with("sys/app/engine/memory.pressure", FakeFs::psi(500, 100));
  const auto source = open_source(fs);
  ASSERT_EQ(source->sample().psi_own, (PsiTotals{500, 100}));
  fs.write("sys/app/engine/memory.pressure", FakeFs::psi(400, 100));
  EXPECT_FALSE(source->sample().psi_own);
  EXPECT_TRUE(source->sample().psi_system) << "the other inputs go on";
  EXPECT_TRUE(comes_true(*source, [](const Sample& s) { return s.psi_own.has_value(); }));
  EXPECT_EQ(source->sample().psi_own, (PsiTotals{400, 100}));
}

TEST(KernelSource, FollowsTheProcessIntoAnotherGroup) {
  const FakeFs fs = FakeFs::v2("/app/engine").with("sys/other/cgroup.events", "populated 1\n");
  fs.write("sys/other/memory.pressure", FakeFs::psi(7, 5));
  fs.write("sys/other/memory.max", "1073741824\n");
  const auto source = open_source(fs);
  ASSERT_EQ(source->sample().psi_own, (PsiTotals{0, 0}));
  fs.write("proc/self/cgroup", "0::/other\n");
  EXPECT_TRUE(comes_true(*source, [](const Sample& s) { return s.psi_own == PsiTotals{7, 5}; }));
  EXPECT_EQ(source->sample().group_limit_bytes, 1ULL << 30);
  EXPECT_EQ(source->facts().location.v2_dir, fs.at("sys/other"));
}

TEST(KernelSource, AGivenFileThatTurnsToGarbageIsTriedAgain) {
  const FakeFs fs = FakeFs::none().with("psi", FakeFs::psi(5, 5));
  const auto source = open_source(fs, {.paths = {.psi_system = fs.at("psi")}});
  ASSERT_TRUE(source->sample().psi_system);
  fs.write("psi", "garbage");
  EXPECT_FALSE(source->sample().psi_system);
  source->wait(1'100'000);
  EXPECT_FALSE(source->sample().psi_system) << "still garbage";
  fs.write("psi", FakeFs::psi(9, 9));
  EXPECT_TRUE(comes_true(*source, [](const Sample& s) { return s.psi_system == PsiTotals{9, 9}; }));
}

TEST(KernelSource, WakeEndsARunningAndTheNextWait) {
  const auto source = open_source(FakeFs::none());
  source->wake();
  source->wake();
  EXPECT_EQ(source->wait(5'000'000), Wake::asked);
  EXPECT_EQ(source->wait(1000), Wake::timeout) << "two calls are one wake-up";
  std::thread waker([&] { source->wake(); });
  EXPECT_EQ(source->wait(5'000'000), Wake::asked);
  waker.join();
}

KernelSource* g_source = nullptr;

TEST(KernelSource, WakeWorksFromASignalHandler) {
  const auto source = open_source(FakeFs::none());
  g_source = source.get();
  const auto before = ::signal(SIGUSR1, [](int) { g_source->wake(); });
  ::raise(SIGUSR1);
  EXPECT_EQ(source->wait(5'000'000), Wake::asked);
  ::signal(SIGUSR1, before);
}

TEST(KernelSource, WaitsTheWholeTimeoutThroughSignals) {
  const auto source = open_source(FakeFs::none());
  const auto before = ::signal(SIGUSR1, [](int) {});
  std::thread disturber([target = ::pthread_self()] {
    for (int i = 0; i < 5; ++i) {
      ::usleep(10'000);
      ::pthread_kill(target, SIGUSR1);
    }
  });
  const std::uint64_t start_us = monotonic_us();
  EXPECT_EQ(source->wait(150'000), Wake::timeout);
  EXPECT_GE(monotonic_us() - start_us, 150'000u);
  disturber.join();
  ::signal(SIGUSR1, before);
}

}  // namespace
}  // namespace kvpsi
