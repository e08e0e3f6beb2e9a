// SPDX-License-Identifier: MIT
// What is asked of a governed process, and the table and words made of its answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"
#include "cli/status_answer.h"
#include "cli/status_request.h"
#include "cli/status_table.h"
#include "journal/tick_json.h"
#include "model/tick.h"

namespace kvpsi {
namespace {

using testing::HasSubstr;

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
  StatusFacts facts{.pid = 42};
  auto words = describe_control_answer(make_control_answer(facts, std::nullopt, 22 * kMiB, tick));
  ASSERT_TRUE(words.has_value());
  EXPECT_EQ(words->line,
            "process 42: KV soft maximum 22.0 MiB (was none), 44.0 MiB live; shown, not enforced: "
            "this process refuses no new work");
  EXPECT_EQ(words->warning, "");
  words = describe_control_answer(make_control_answer(facts, 22 * kMiB, 21 * kMiB, tick));
  ASSERT_TRUE(words.has_value());
  EXPECT_THAT(words->warning,
              HasSubstr("21.0 MiB is less than half of the 44.0 MiB that are live"));
  EXPECT_EQ(words->warning.find('\n'), std::string::npos);
  words = describe_control_answer(make_control_answer(facts, 22 * kMiB, std::nullopt, Tick{}));
  ASSERT_TRUE(words.has_value());
  EXPECT_THAT(words->line,
              testing::StartsWith("process 42: KV soft maximum none (was 22.0 MiB), none live;"));
  facts.is_budget_enforced = true;
  words = describe_control_answer(make_control_answer(facts, std::nullopt, 22 * kMiB, tick));
  ASSERT_TRUE(words.has_value());
  EXPECT_THAT(words->line,
              testing::EndsWith("44.0 MiB live; new work beyond it waits or is refused"));
  const auto refused = describe_control_answer(
      make_error_answer(Error{ErrorCode::invalid_argument, "no \"way\"", {}, 0}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().what, "no \"way\"");
  EXPECT_FALSE(describe_control_answer(R"({"schema":"kvpsi.status/1"})").has_value());
  EXPECT_FALSE(describe_control_answer("garbage").has_value());
}

TEST(ControlAnswer, OfAStrangerIsSafeToPrint) {
  const auto words = describe_control_answer(
      R"({"schema":"kvpsi.control/1","pid":"\u001b[2J\u009b","kv_soft_max_bytes":-1,)"
      R"("kv_soft_max_bytes_before":1e99,"kv_live_bytes":"\u001b","kv_budget_enforced":true,)"
      R"("warning":"a\u001b]0;b\nc"})");
  ASSERT_TRUE(words.has_value());
  EXPECT_EQ(words->line,
            "process \"\\u001b[2J\\xc2\\x9b\": KV soft maximum none (was none), none live; new "
            "work beyond it "
            "waits or is refused");
  EXPECT_EQ(words->warning, "a\\x1b]0;b\\nc");
  const auto refused =
      describe_control_answer(R"({"schema":"kvpsi.control/1","error":"\u001b[31mno"})");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().what, "\\x1b[31mno");
}

TEST(CleanAnswer, IsAsciiOnOneLineOrNothing) {
  EXPECT_EQ(
      clean_answer("{\"schema\": \"kvpsi.status/1\",\n\"model\":\"\xc2\x9b\u00fc\"}", kStatusSchema)
          .value_or(""),
      R"({"schema":"kvpsi.status/1","model":"\u009b\u00fc"})");
  for (const char* other : {"\x1b[31m", "[]", "7", "", R"({"schema":"kvpsi.control/1"})",
                            "{\"schema\":\"kvpsi.status/1\",\"a\":\"\x1b\"}"}) {
    EXPECT_FALSE(clean_answer(other, kStatusSchema).has_value()) << other;
  }
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
  EXPECT_THAT(*table, HasSubstr("shown, not enforced: this process"));
  const auto enforced = render_status(
      R"({"schema":"kvpsi.status/1","kv_budget_enforced":true,"tick":)" + tick_to_json(tick) + "}");
  EXPECT_EQ(enforced.value_or("shown").find("shown"), std::string::npos);
}

TEST(RenderStatus, OfAStrangerPrintsNoControlCharacterAndNoWrongNumber) {
  const auto table = render_status(
      R"({"schema":"kvpsi.status/1","pid":-7,"command":"r\u001b[31mun","model":"m\n\u009b",)"
      R"("uptime_s":1.5,"weights":[1],"tick":{"kv_soft_max_bytes":-1,"sample":{)"
      R"("own_anon_bytes":10,"own_file_bytes":18446744073709551616,"own_swap_bytes":-3,)"
      R"("peers_anon_bytes":1e300,"group_peers_anon_bytes":-1},)"
      R"("decision":{"kv_budget_bytes":1e30,"level":"\u0007"},"signal":{"some_fast":1e300},)"
      R"("actions":[7,{"verb":"\u001bc","bytes":-1}],)"
      R"("pools":[{"kind":"kv","resident_bytes":18446744073709551615},)"
      R"({"kind":"scratch","resident_bytes":18446744073709551615},3]}})");
  ASSERT_TRUE(table.has_value());
  for (const char c : *table) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
  }
  EXPECT_THAT(*table, HasSubstr("process 0, kvpsi r\\x1b[31mun, up 0 s\n  model m\\n\\xc2\\x9b\n"));
  EXPECT_THAT(*table, testing::ContainsRegex("heap and the rest +0 B"));
  EXPECT_THAT(*table, HasSubstr("stalled 0.0 %"));
  EXPECT_EQ(table->find("soft maximum"), std::string::npos);
  EXPECT_EQ(table->find("budget"), std::string::npos);
  EXPECT_EQ(table->find("other governed"), std::string::npos);
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
