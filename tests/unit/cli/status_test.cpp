// SPDX-License-Identifier: MIT
// The status socket, both ends, and the table made of its answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "base/bytes.h"
#include "cli/status_request.h"
#include "cli/status_socket.h"
#include "cli/status_table.h"
#include "journal/tick_json.h"
#include "model/tick.h"

namespace kvpsi {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(StatusSocket, AnswersOneLineToEachClientAndIsListed) {
  int asked = 0;
  const auto server = StatusServer::start(::getpid(), true, [&asked](std::string_view request) {
    return std::string(request) + std::to_string(++asked);
  });
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(ask_status(::getpid()).value_or(""), "status1");
  EXPECT_EQ(ask_status(::getpid(), "kv-soft-max 7").value_or(""), "kv-soft-max 72");
  const auto pids = find_status_servers();
  ASSERT_TRUE(pids.has_value());
  EXPECT_THAT(*pids, Contains(::getpid()));
}

TEST(StatusSocket, CarriesMoreThanOnePacket) {
  const std::string big(1 << 20, 'x');
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

TEST(StatusSocket, ASecondServerOfOneProcessIsRefused) {
  const auto first = StatusServer::start(::getpid(), true, [](auto) { return std::string(); });
  const auto second = StatusServer::start(::getpid(), true, [](auto) { return std::string(); });
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(second.has_value());
}

TEST(FindStatusServers, ReadsTheKernelsTableAndNothingElse) {
  const std::string path = testing::TempDir() + "/kvpsi_status_test_unix";
  std::ofstream(path) << "Num       RefCount Protocol Flags    Type St Inode Path\n"
                         "0000: 00000002 00000000 00010000 0001 01 1234 @kvpsi-42\n"
                         "0000: 00000003 00000000 00000000 0001 03 1235 @kvpsi-42\n"
                         "0000: 00000002 00000000 00010000 0001 01 1236 @kvpsi-7\n"
                         "0000: 00000002 00000000 00010000 0001 01 1237 @kvpsi-x9\n"
                         "0000: 00000002 00000000 00010000 0001 01 1240 @kvpsi-9-watching\n"
                         "0000: 00000002 00000000 00010000 0001 01 1241 @kvpsi-10-other\n"
                         "0000: 00000002 00000000 00010000 0001 01 1238 /run/kvpsi-8\n"
                         "0000: 00000002 00000000 00010000 0001 01 1239\n";
  const auto pids = find_status_servers(path);
  ASSERT_TRUE(pids.has_value());
  EXPECT_THAT(*pids, ElementsAre(7, 9, 42));
  EXPECT_FALSE(find_status_servers("/nonexistent").has_value());
}

TEST(StatusSocket, AWatchingProcessIsFoundAndAnswersToo) {
  const auto server =
      StatusServer::start(::getpid(), false, [](auto) { return std::string("watching"); });
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(ask_status(::getpid()).value_or(""), "watching");
  EXPECT_THAT(find_status_servers().value_or(std::vector<pid_t>()), Contains(::getpid()));
}

TEST(StatusRequest, GoesThereAndBack) {
  for (const StatusRequest& request :
       {StatusRequest{}, StatusRequest{true, std::nullopt}, StatusRequest{true, 64 * kMiB}}) {
    const auto back = parse_status_request(format_status_request(request) + "\n");
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, request);
  }
  EXPECT_EQ(parse_status_request("kv-soft-max 1.5GiB")->soft_max_bytes, 3 * kGiB / 2);
  EXPECT_EQ(parse_status_request("kv-soft-max 0"), (StatusRequest{true, std::nullopt}));
  EXPECT_EQ(parse_status_request(""), StatusRequest{});
  for (const char* bad : {"kv-soft-max", "kv-soft-max ", "kv-soft-max -1", "kv-soft-max 1 2",
                          "kv-soft-max x", "statu", "STATUS"}) {
    EXPECT_FALSE(parse_status_request(bad).has_value()) << bad;
  }
}

Tick make_tick() {
  Tick tick;
  tick.observation.sample.own_anon_bytes = 100 * kMiB;
  PoolView kv;
  kv.kind = PoolKind::kv;
  kv.reserved_bytes = 180 * kMiB;
  kv.live_bytes = 44 * kMiB;
  kv.resident_bytes = 45 * kMiB;
  kv.cells_live = 2000;
  kv.cells_total = 8192;
  tick.observation.pools.push_back(kv);
  tick.decision.id = 7;
  tick.decision.level = Level::high;
  tick.decision.reason = Reason::need;
  tick.decision.need_bytes = 12 * kMiB;
  return tick;
}

TEST(RenderStatus, SaysWhatHoldsMemory) {
  const std::string document =
      R"({"schema":"kvpsi.status/1","pid":42,"command":"run","model":"m.gguf","uptime_s":3,)"
      R"("weights":{"file_bytes":96468992,"anon_bytes":10485760},"tick":)" +
      tick_to_json(make_tick()) + "}";
  const auto table = render_status(document);
  ASSERT_TRUE(table.has_value());
  EXPECT_THAT(*table, HasSubstr("process 42"));
  EXPECT_THAT(*table, testing::ContainsRegex("weights, file +92.0 MiB"));
  EXPECT_THAT(*table, testing::ContainsRegex("KV cache, live +44.0 MiB"));
  EXPECT_THAT(*table, testing::ContainsRegex("KV cache, resident +45.0 MiB"));
  // 100 anonymous, less 10 of weights and 45 of KV.
  EXPECT_THAT(*table, testing::ContainsRegex("heap and the rest +45.0 MiB"));
  EXPECT_THAT(*table, HasSubstr("level high, last decision 7: need, need 12.0 MiB"));
}

TEST(ControlAnswer, SaysWhatHoldsAndWarnsOfChurn) {
  const Tick tick = make_tick();  // 44 MiB live
  auto words = describe_control_answer(make_control_answer(42, std::nullopt, 22 * kMiB, tick));
  ASSERT_TRUE(words.has_value());
  EXPECT_EQ(words->line, "process 42: KV soft maximum 22.0 MiB (was none), 44.0 MiB live");
  EXPECT_EQ(words->warning, "");
  words = describe_control_answer(make_control_answer(42, 22 * kMiB, 21 * kMiB, tick));
  ASSERT_TRUE(words.has_value());
  EXPECT_THAT(words->warning,
              HasSubstr("21.0 MiB is less than half of the 44.0 MiB that are live"));
  EXPECT_EQ(words->warning.find('\n'), std::string::npos);
  words = describe_control_answer(make_control_answer(42, 22 * kMiB, std::nullopt, Tick{}));
  ASSERT_TRUE(words.has_value());
  EXPECT_EQ(words->line, "process 42: KV soft maximum none (was 22.0 MiB), none live");
  const auto refused = describe_control_answer(
      make_error_answer(Error{ErrorCode::invalid_argument, "no \"way\"", {}, 0}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().what, "no \"way\"");
  EXPECT_FALSE(describe_control_answer(R"({"schema":"kvpsi.status/1"})").has_value());
  EXPECT_FALSE(describe_control_answer("garbage").has_value());
}

TEST(RenderStatus, ShowsTheSoftMaximumAndTheBudget) {
  Tick tick = make_tick();
  tick.observation.kv_soft_max_bytes = 30 * kMiB;
  tick.decision.kv_budget_bytes = 20 * kMiB;
  const auto table =
      render_status(R"({"schema":"kvpsi.status/1","tick":)" + tick_to_json(tick) + "}");
  ASSERT_TRUE(table.has_value());
  EXPECT_THAT(*table, testing::ContainsRegex("KV cache, soft maximum +30.0 MiB"));
  EXPECT_THAT(*table, testing::ContainsRegex("KV cache, budget +20.0 MiB"));
}

TEST(RenderStatus, ShowsTheOthersWhoShareAShortage) {
  Tick tick = make_tick();
  const auto render = [&tick] {
    return render_status(R"({"schema":"kvpsi.status/1","tick":)" + tick_to_json(tick) + "}")
        .value_or("");
  };
  EXPECT_EQ(render().find("other governed"), std::string::npos);
  tick.observation.sample.peers_anon_bytes = 300 * kMiB;
  tick.observation.sample.group_peers_anon_bytes = 100 * kMiB;
  EXPECT_THAT(render(), testing::ContainsRegex("other governed +300 MiB +anonymous; 100 MiB of"));
}

TEST(RenderStatus, StandsAMissingTickAndRefusesOtherDocuments) {
  EXPECT_TRUE(render_status(R"({"schema":"kvpsi.status/1","tick":null})").has_value());
  EXPECT_FALSE(render_status(R"({"schema":"kvpsi.run/1"})").has_value());
  EXPECT_FALSE(render_status("garbage").has_value());
  EXPECT_FALSE(render_status("").has_value());
}

}  // namespace
}  // namespace kvpsi
