// SPDX-License-Identifier: MIT
// The status socket, both ends, and each against one that is slow, silent, endless or a stranger.
#include "cli/status_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cli/status_client.h"
#include "cli/status_transfer.h"
#include "linux/process.h"

namespace kvpsi {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

ListedProcess own_process(bool shares_need = true) {
  return {.pid = ::getpid(),
          .shares_need = shares_need,
          .pid_namespace = read_pid_namespace().value_or(0)};
}

/// A client without manners.
class RawClient {
 public:
  RawClient() : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const StatusAddress address(own_process());
    is_connected_ = ::connect(fd_.get(), address.get(), address.size()) == 0;
  }
  bool is_connected() const { return is_connected_; }
  void send(std::string_view text) { ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  std::string receive() {
    std::string line;
    receive_line(fd_.get(), 1 << 20, {.deadline_us = monotonic_us() + 10'000'000}, line);
    return line;
  }

 private:
  UniqueFd fd_;
  bool is_connected_ = false;
};

/// Counts what it is asked.
class CountingServer {
 public:
  CountingServer() {
    auto started = StatusServer::start(::getpid(), true, [this](std::string_view request) {
      ++asked_;
      return "answer to " + std::string(request);
    });
    if (started) server_ = std::move(*started);
  }
  bool is_running() const { return server_ != nullptr; }
  int asked() const { return asked_; }
  void stop() { server_.reset(); }

 private:
  std::atomic<int> asked_ = 0;
  std::unique_ptr<StatusServer> server_;
};

TEST(StatusSocket, AnswersOneLineToEachClientAndIsListed) {
  int asked = 0;
  const auto server = StatusServer::start(::getpid(), true, [&asked](std::string_view request) {
    return std::string(request) + std::to_string(++asked);
  });
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(ask_status(::getpid()).value_or(""), "status1");
  EXPECT_EQ(ask_status(::getpid(), "kv-soft-max 7").value_or(""), "kv-soft-max 72");
  const auto pids = find_status_servers("/proc/net/unix", read_pid_namespace().value_or(0));
  ASSERT_TRUE(pids.has_value());
  EXPECT_THAT(*pids, Contains(::getpid()));
}

TEST(StatusSocket, CarriesMoreThanOnePacket) {
  const std::string big(kMostAnswerBytes, 'x');
  const auto server = StatusServer::start(::getpid(), true, [&big](auto) { return big; });
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(ask_status(::getpid()).value_or(""), big);
}

TEST(StatusSocket, VanishesWithTheServer) {
  {
    const auto server =
        StatusServer::start(::getpid(), true, [](auto) { return std::string("x"); });
  }
  const auto answer = ask_status(::getpid());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::not_found);
}

TEST(StatusSocket, ASecondServerOfOneNameIsRefusedAndSaysWhy) {
  const auto first = StatusServer::start(::getpid(), true, [](auto) { return std::string(); });
  const auto second = StatusServer::start(::getpid(), true, [](auto) { return std::string(); });
  ASSERT_TRUE(first.has_value());
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(describe(second.error()), HasSubstr("another process has taken this name"));
  EXPECT_THAT(describe(second.error()), HasSubstr("PID namespace"));
}

TEST(StatusSocket, AWatchingProcessIsFoundAndAnswersToo) {
  const auto server =
      StatusServer::start(::getpid(), false, [](auto) { return std::string("watching"); });
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(ask_status(::getpid()).value_or(""), "watching");
  EXPECT_THAT(find_status_servers().value_or(std::vector<pid_t>()), Contains(::getpid()));
}

TEST(StatusServer, CarriesOutNoRequestThatWasCutShort) {
  CountingServer server;
  ASSERT_TRUE(server.is_running());
  for (const std::string& cut : {std::string("kv-soft-max 1"), std::string("status"),
                                 "kv-soft-max 1" + std::string(300, ' ') + "\n"}) {
    RawClient client;
    ASSERT_TRUE(client.is_connected());
    client.send(cut);
    client.end_sending();
    EXPECT_THAT(client.receive(), HasSubstr("nothing was changed")) << cut;
  }
  RawClient waiting;
  waiting.send("kv-soft-max 1");  // and neither ends nor goes on
  EXPECT_THAT(waiting.receive(), HasSubstr("ends with a line feed"));
  EXPECT_EQ(server.asked(), 0);
}

TEST(StatusServer, TakesTheLongestRequestAndOnlyTheFirstLine) {
  CountingServer server;
  RawClient client;
  ASSERT_TRUE(client.is_connected());
  client.send(std::string(256, 'x') + "\nkv-soft-max 1\n");
  EXPECT_EQ(client.receive(), "answer to " + std::string(256, 'x'));
  EXPECT_EQ(server.asked(), 1);
}

TEST(StatusServer, GivesTheStatusToWhoAsksNothing) {
  CountingServer server;
  RawClient silent;
  ASSERT_TRUE(silent.is_connected());
  EXPECT_EQ(silent.receive(), "answer to ");
  RawClient ending;
  ending.end_sending();
  EXPECT_EQ(ending.receive(), "answer to ");
}

TEST(StatusServer, GivesATricklingClientNoMoreTimeThanOthers) {
  CountingServer server;
  RawClient client;
  ASSERT_TRUE(client.is_connected());
  const std::uint64_t start_us = monotonic_us();
  std::thread trickle([&client] {
    for (int i = 0; i < 40; ++i) {
      client.send("k");
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  EXPECT_THAT(client.receive(), HasSubstr("nothing was changed"));
  EXPECT_LT(monotonic_us() - start_us, 3'000'000u);
  trickle.join();
}

TEST(StatusServer, EndsAtOnceWhoeverIsBeingServed) {
  CountingServer server;
  RawClient silent;
  ASSERT_TRUE(silent.is_connected());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it is being served now
  std::uint64_t start_us = monotonic_us();
  server.stop();
  EXPECT_LT(monotonic_us() - start_us, 700'000u);
  std::atomic<bool> is_asked = false;
  auto busy = StatusServer::start(::getpid(), true, [&is_asked](auto) {
    is_asked = true;
    return std::string(8 << 20, 'x');  // more than the socket takes, and nobody reads it
  });
  ASSERT_TRUE(busy.has_value());
  RawClient deaf;
  deaf.send("status\n");
  while (!is_asked) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  start_us = monotonic_us();
  busy->reset();
  EXPECT_LT(monotonic_us() - start_us, 1'000'000u);
}

TEST(StatusClient, TakesNoEndlessAnswer) {
  const auto server = StatusServer::start(
      ::getpid(), true, [](auto) { return std::string(kMostAnswerBytes + 1, 'x'); });
  ASSERT_TRUE(server.has_value());
  const auto answer = ask_status(::getpid());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::malformed);
}

/// Listens under any name, as any process may.
class Stranger {
 public:
  explicit Stranger(const ListedProcess& process)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const StatusAddress address(process);
    is_listening_ =
        ::bind(fd_.get(), address.get(), address.size()) == 0 && ::listen(fd_.get(), 1) == 0;
  }
  bool is_listening() const { return is_listening_; }

 private:
  UniqueFd fd_;
  bool is_listening_ = false;
};

TEST(StatusClient, AsksOnlyTheProcessThatWasNamed) {
  ListedProcess other = own_process();
  other.pid = ::getppid();
  const Stranger stranger(other);
  ASSERT_TRUE(stranger.is_listening());
  const auto answer = ask_status(other.pid);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::permission);
  EXPECT_THAT(answer.error().what, HasSubstr("it is not asked"));
}

TEST(StatusClient, WaitsForNobodyLongerThanAsked) {
  const Stranger mute(own_process());  // our own process: it may be asked, but never answers
  ASSERT_TRUE(mute.is_listening());
  const std::uint64_t start_us = monotonic_us();
  const auto answer = ask_status(::getpid(), "status", 200'000);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::io);
  EXPECT_GE(monotonic_us() - start_us, 200'000u);
  EXPECT_LT(monotonic_us() - start_us, 2'000'000u);
}

TEST(FindStatusServers, ReadsTheKernelsTableAndNothingElse) {
  const std::string path = testing::TempDir() + "/kvpsi_status_test_unix";
  std::ofstream(path) << "Num       RefCount Protocol Flags    Type St Inode Path\n"
                         "0000: 00000002 00000000 00010000 0001 01 1234 @kvpsi-42\n"
                         "0000: 00000003 00000000 00000000 0001 03 1235 @kvpsi-42\n"
                         "0000: 00000002 00000000 00010000 0001 01 1236 @kvpsi-7-ns5\n"
                         "0000: 00000002 00000000 00010000 0001 01 1237 @kvpsi-x9\n"
                         "0000: 00000002 00000000 00010000 0001 01 1240 @kvpsi-9-ns6-watching\n"
                         "0000: 00000002 00000000 00010000 0001 01 1241 @kvpsi-10-other\n"
                         "0000: 00000002 00000000 00010000 0001 01 1238 /run/kvpsi-8\n"
                         "0000: 00000002 00000000 00010000 0001 01 1239\n";
  EXPECT_THAT(find_status_servers(path).value_or(std::vector<pid_t>()), ElementsAre(7, 9, 42));
  EXPECT_THAT(find_status_servers(path, 5).value_or(std::vector<pid_t>()), ElementsAre(7, 42));
  EXPECT_FALSE(find_status_servers("/nonexistent").has_value());
}

}  // namespace
}  // namespace kvpsi
