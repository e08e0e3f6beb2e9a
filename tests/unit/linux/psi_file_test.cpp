// SPDX-License-Identifier: MIT
// PSI totals from plain files, FIFOs and sockets; what each bad path gets.
#include "linux/psi_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "support/fake_fs.h"
#include "support/stream_peer.h"

namespace kvpsi {
namespace {

using test::FakeFs;
using test::FifoPeer;
using test::SocketPeer;

struct Reading {
  std::optional<PsiTotals> totals;
  int error = 0;
};

Reading read(PsiFile& file) {
  std::vector<char> buffer(4096);
  Reading reading;
  reading.totals = file.read(buffer, reading.error);
  return reading;
}

TEST(PsiFile, APlainFileIsReadAgainEachTime) {
  const FakeFs fs = FakeFs::none();
  auto file = PsiFile::open(fs.at("proc/pressure/memory"));
  ASSERT_TRUE(file) << describe(file.error());
  EXPECT_EQ(file->kind(), PsiFileKind::regular);
  EXPECT_EQ(read(*file).totals, (PsiTotals{3000, 1000}));
  fs.write("proc/pressure/memory", FakeFs::psi(4000, 1500));
  EXPECT_EQ(read(*file).totals, (PsiTotals{4000, 1500}));
  fs.write("proc/pressure/memory", "now garbled");
  const Reading garbled = read(*file);
  EXPECT_FALSE(garbled.totals);
  EXPECT_EQ(garbled.error, EBADMSG);
}

TEST(PsiFile, SaysWhatIsWrongWithAPath) {
  const FakeFs fs = FakeFs::none().with("empty", "").with("garbled", "some thing\n");
  EXPECT_EQ(PsiFile::open(fs.at("absent")).error().code, ErrorCode::not_found);
  EXPECT_EQ(PsiFile::open(fs.at("empty")).error().code, ErrorCode::malformed);
  const auto garbled = PsiFile::open(fs.at("garbled"));
  EXPECT_EQ(garbled.error().code, ErrorCode::malformed);
  EXPECT_EQ(garbled.error().path, fs.at("garbled"));
  EXPECT_EQ(PsiFile::open(fs.at("proc")).error().code, ErrorCode::unsupported);
  EXPECT_EQ(PsiFile::open("/dev/null").error().code, ErrorCode::unsupported);
}

TEST(PsiFile, AFifoDeliversLines) {
  const FakeFs fs = FakeFs::none();
  FifoPeer peer(fs.at("fifo"));
  auto file = PsiFile::open(fs.at("fifo"));
  ASSERT_TRUE(file) << describe(file.error());
  EXPECT_EQ(file->kind(), PsiFileKind::fifo);
  EXPECT_FALSE(read(*file).totals) << "nothing is known before the first line";
  EXPECT_FALSE(file->drain().got_data);
  peer.send("some total=100\n");
  EXPECT_TRUE(file->drain().got_data);
  EXPECT_EQ(read(*file).totals, (PsiTotals{100, 0}));
  peer.send(FakeFs::psi(200, 50) + "full avg10=0.00 tot");
  file->drain();
  EXPECT_EQ(read(*file).totals, (PsiTotals{200, 50}));
  peer.send("al=60\nnot psi\n");
  EXPECT_TRUE(file->drain().got_data);
  EXPECT_EQ(read(*file).totals, (PsiTotals{200, 60})) << "a line may come in pieces";
}

TEST(PsiFile, AFifosWritersComeAndGo) {
  const FakeFs fs = FakeFs::none();
  FifoPeer peer(fs.at("fifo"));
  auto file = PsiFile::open(fs.at("fifo"));
  ASSERT_TRUE(file);
  peer.send("some total=1\n");
  peer.hang_up();
  const DrainResult drained = file->drain();
  EXPECT_TRUE(drained.got_data);
  EXPECT_FALSE(drained.is_lost);
  EXPECT_EQ(read(*file).totals, (PsiTotals{1, 0}));
}

TEST(PsiFile, ALineWithoutEndIsDroppedWhole) {
  const FakeFs fs = FakeFs::none();
  const FifoPeer peer(fs.at("fifo"));
  auto file = PsiFile::open(fs.at("fifo"));
  ASSERT_TRUE(file);
  peer.send("some total=5\n" + std::string(1000, 'x') + " total=9\nfull total=2\n");
  file->drain();
  EXPECT_EQ(read(*file).totals, (PsiTotals{5, 2}));
}

TEST(PsiFile, ASocketDeliversLinesUntilItsPeerIsGone) {
  const FakeFs fs = FakeFs::none();
  SocketPeer peer(fs.at("sock"));
  auto file = PsiFile::open(fs.at("sock"));
  ASSERT_TRUE(file) << describe(file.error());
  EXPECT_EQ(file->kind(), PsiFileKind::socket);
  peer.accept();
  peer.send(FakeFs::psi(7, 3));
  EXPECT_TRUE(file->drain().got_data);
  EXPECT_EQ(read(*file).totals, (PsiTotals{7, 3}));
  peer.hang_up();
  EXPECT_TRUE(file->drain().is_lost);
}

TEST(PsiFile, ASocketWithoutListenerIsNotFound) {
  const FakeFs fs = FakeFs::none();
  {
    const SocketPeer peer(fs.at("sock"));
  }
  EXPECT_EQ(PsiFile::open(fs.at("sock")).error().code, ErrorCode::not_found);
  EXPECT_EQ(connect_unix("/tmp/" + std::string(120, 'x')).error().code,
            ErrorCode::invalid_argument);
}

TEST(PsiFile, KnowsTheKernelsFilesByTheirFileSystem) {
  const std::string path = "/proc/pressure/memory";
  auto file = PsiFile::open(path);
  if (!file) GTEST_SKIP() << "this kernel offers no PSI: " << describe(file.error());
  EXPECT_EQ(file->kind(), PsiFileKind::kernel);
  EXPECT_TRUE(read(*file).totals);
  EXPECT_EQ(file->stream_fd(), -1);
}

}  // namespace
}  // namespace kvpsi
