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

TEST(PressureWatch, AFifoWakesAndIsDrained) {
  const FakeFs fs = FakeFs::none();
  const test::FifoPeer peer(fs.at("fifo"));
  auto watch = PressureWatch::open({.path = fs.at("fifo"), .write_data = "some 1 2"});
  ASSERT_TRUE(watch) << describe(watch.error());
  EXPECT_EQ(watch->poll_events(), POLLIN);
  EXPECT_FALSE(watch->handle(POLLIN).got_data) << "the data is not written into our own FIFO";
  peer.send("x");
  EXPECT_TRUE(watch->handle(POLLIN).got_data);
  EXPECT_FALSE(watch->handle(POLLIN).got_data);
}

TEST(PressureWatch, ASocketGetsTheData) {
  const FakeFs fs = FakeFs::none();
  test::SocketPeer peer(fs.at("sock"));
  const std::string data("some 123000 2000000\0", 20);
  auto watch = PressureWatch::open({.path = fs.at("sock"), .write_data = data});
  ASSERT_TRUE(watch) << describe(watch.error());
  peer.accept();
  EXPECT_EQ(peer.receive(), data);
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

}  // namespace
}  // namespace kvpsi
