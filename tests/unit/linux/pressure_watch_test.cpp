// SPDX-License-Identifier: MIT
// The MEMORY_PRESSURE_WATCH protocol: strict checks, and a FIFO, a socket and the kernel's file.
#include "linux/pressure_watch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "support/fake_fs.h"
#include "support/stream_peer.h"

namespace kvpsi {
namespace {

using test::FakeFs;

TEST(Base64, DecodesWhatRfc4648Encodes) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("Zg=="), "f");
  EXPECT_EQ(decode_base64("Zm8="), "fo");
  EXPECT_EQ(decode_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(decode_base64("+/8="), "\xfb\xff");
  // What a service manager writes for a threshold of 123 ms: the trigger with its NUL.
  EXPECT_EQ(decode_base64("c29tZSAxMjMwMDAgMjAwMDAwMAA="),
            std::string("some 123000 2000000\0", 20));
}

TEST(Base64, RefusesEverythingElse) {
  for (const char* bad : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "Zm9v\n", "Zm9-",
                          "Zg= =", " Zg=", "=Zg="}) {
    EXPECT_FALSE(decode_base64(bad)) << bad;
  }
}

TEST(PressureWatch, UnsetAndDevNullMeanNoWatch) {
  EXPECT_FALSE(*parse_pressure_watch("", ""));
  EXPECT_FALSE(*parse_pressure_watch("/dev/null", "not base64 but nobody reads it"));
}

TEST(PressureWatch, ChecksPathAndData) {
  const auto good = parse_pressure_watch("/sys/fs/cgroup/a.b/memory.pressure", "Zm8=");
  ASSERT_TRUE(good);
  EXPECT_EQ((*good)->path, "/sys/fs/cgroup/a.b/memory.pressure");
  EXPECT_EQ((*good)->write_data, "fo");
  for (const char* bad :
       {"relative", "/", "//a", "/a//b", "/a/", "/a/./b", "/a/../b", "/..", "/a/."}) {
    const auto spec = parse_pressure_watch(bad, "");
    ASSERT_FALSE(spec) << bad;
    EXPECT_EQ(spec.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_EQ(parse_pressure_watch("/a", "!").error().code, ErrorCode::malformed);
  EXPECT_FALSE(parse_pressure_watch("/a", std::string(8192, 'A'))) << "more than any trigger needs";
}

const std::string kTrigger("some 123000 2000000\0", 20);

TEST(PressureWatch, AFifoWakesAndIsDrained) {
  const FakeFs fs = FakeFs::none();
  const test::FifoPeer peer(fs.at("fifo"));
  auto watch = PressureWatch::open({.path = fs.at("fifo"), .write_data = {}});
  ASSERT_TRUE(watch) << describe(watch.error());
  EXPECT_EQ(watch->poll_events(), POLLIN);
  EXPECT_FALSE(watch->handle(POLLIN).got_data) << "nothing was written";
  peer.send("x");
  EXPECT_TRUE(watch->handle(POLLIN).got_data);
  EXPECT_FALSE(watch->handle(POLLIN).got_data);
}

TEST(PressureWatch, AFifoGetsTheData) {
  const FakeFs fs = FakeFs::none();
  const test::FifoPeer peer(fs.at("fifo"));
  const auto watch = PressureWatch::open({.path = fs.at("fifo"), .write_data = kTrigger});
  ASSERT_TRUE(watch) << describe(watch.error());
  EXPECT_EQ(peer.receive(), kTrigger);
}

TEST(PressureWatch, OurOwnDataReadBackFromAFifoIsNoHint) {
  const FakeFs fs = FakeFs::none();
  const test::FifoPeer peer(fs.at("fifo"));
  const PressureWatchSpec spec{.path = fs.at("fifo"), .write_data = kTrigger};
  auto watch = PressureWatch::open(spec);
  ASSERT_TRUE(watch);
  EXPECT_FALSE(watch->handle(POLLIN).got_data);
  peer.send(kTrigger);
  EXPECT_TRUE(watch->handle(POLLIN).got_data) << "the same bytes once more are somebody else's";
  auto second = PressureWatch::open(spec);
  ASSERT_TRUE(second);
  peer.send("x");
  EXPECT_TRUE(second->handle(POLLIN).got_data) << "ours and another byte";
  auto third = PressureWatch::open(spec);
  ASSERT_TRUE(third);
  EXPECT_EQ(peer.receive(), kTrigger);
  peer.send(kTrigger.substr(0, 7));
  EXPECT_TRUE(third->handle(POLLIN).got_data) << "only the beginning of it is not ours";
}

TEST(PressureWatch, ASocketGetsTheData) {
  const FakeFs fs = FakeFs::none();
  test::SocketPeer peer(fs.at("sock"));
  auto watch = PressureWatch::open({.path = fs.at("sock"), .write_data = kTrigger});
  ASSERT_TRUE(watch) << describe(watch.error());
  peer.accept();
  EXPECT_EQ(peer.receive(), kTrigger);
  peer.send("!");
  EXPECT_TRUE(watch->handle(POLLIN).got_data);
  peer.hang_up();
  EXPECT_TRUE(watch->handle(POLLIN | POLLHUP).is_lost);
}

TEST(PressureWatch, RefusesFilesThatAreNoPressureFiles) {
  const FakeFs fs = FakeFs::none();
  EXPECT_EQ(PressureWatch::open({.path = fs.at("absent"), .write_data = {}}).error().code,
            ErrorCode::not_found);
  EXPECT_EQ(PressureWatch::open({.path = fs.at("proc/meminfo"), .write_data = "x"}).error().code,
            ErrorCode::unsupported);
  EXPECT_EQ(PressureWatch::open({.path = "/dev/zero", .write_data = {}}).error().code,
            ErrorCode::unsupported);
  std::ifstream untouched(fs.at("proc/meminfo"));
  std::string word;
  untouched >> word;
  EXPECT_EQ(word, "MemTotal:") << "a refused file must not have been written to";
}

TEST(PressureWatch, TheKernelsFileTakesTheTrigger) {
  const PressureWatchSpec spec{.path = "/proc/pressure/memory",
                               .write_data = std::string("some 200000 2000000\0", 20)};
  auto watch = PressureWatch::open(spec);
  if (!watch) GTEST_SKIP() << "no trigger may be set here: " << describe(watch.error());
  EXPECT_EQ(watch->poll_events(), POLLPRI);
  const auto refused =
      PressureWatch::open({.path = spec.path, .write_data = std::string("rubbish\0", 8)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
}

TEST(PressureWatch, TheKernelsFileWithoutDataGetsTheUsualTrigger) {
  auto watch = PressureWatch::open({.path = "/proc/pressure/memory", .write_data = {}});
  if (!watch) GTEST_SKIP() << "no trigger may be set here: " << describe(watch.error());
  pollfd polled{.fd = watch->fd(), .events = watch->poll_events(), .revents = 0};
  ASSERT_GE(::poll(&polled, 1, 0), 0);
  EXPECT_EQ(polled.revents & POLLERR, 0) << "a file without a trigger would report an error";
}

TEST(PressureWatch, AKernelFileWhoseGroupIsGoneIsLostAndNoHint) {
  auto watch = PressureWatch::open({.path = "/proc/pressure/memory", .write_data = {}});
  if (!watch) GTEST_SKIP() << "no trigger may be set here: " << describe(watch.error());
  const DrainResult gone = watch->handle(POLLPRI | POLLERR);
  EXPECT_TRUE(gone.is_lost);
  EXPECT_FALSE(gone.got_data);
  const DrainResult hint = watch->handle(POLLPRI);
  EXPECT_TRUE(hint.got_data && !hint.is_lost);
}

}  // namespace
}  // namespace kvpsi
