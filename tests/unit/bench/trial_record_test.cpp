// SPDX-License-Identifier: MIT
// How a trial ended, in words, and what is taken from which source.
#include "bench/trial_record.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace kvpsi {
namespace {

class TrialRecord : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/kvpsi-record-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    dir_ = name;
    job_.run = {4, Squeeze::s2, Order::psi_first, 1, Variant::psi};
    job_.stem = "4-psi";
    job_.limit_bytes = 1000;
    facts_.summary_path = dir_ + "/run-4-psi.json";
    facts_.engine_exit = ChildExit{0, 0};
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void write_summary(int decoded) {
    std::ofstream(facts_.summary_path)
        << R"({"schema":"kvpsi.run/1","exit":"ok","stop_reason":"length","decoded":)" << decoded
        << R"(,"timing":{"decode_start_us":1000000,"decode_end_us":2000000,"tok_s":9.5},)"
        << R"("governor":{"prunes":1},"context":{"tokens_trimmed":64,"tokens_lost":64}})";
  }
  Trial make() const { return make_outcome(job_, facts_).trial; }

  std::string dir_;
  TrialJob job_;
  TrialFacts facts_;
};

TEST_F(TrialRecord, TakesTheDecodingWindowOutOfEverySeries) {
  write_summary(10);
  facts_.external.add(1'000'000, {0, 0});
  facts_.external.add(2'000'000, {400'000, 100'000});
  facts_.external.add(3'000'000, {1'400'000, 1'100'000});
  facts_.rounds = {{1'200'000, 100'000}, {1'800'000, 100'000}, {2'900'000, 100'000}};
  const Trial trial = make();
  EXPECT_EQ(trial.exit, "ok");
  EXPECT_EQ(trial.variant, Variant::psi);
  EXPECT_EQ(trial.position, 1U);
  EXPECT_DOUBLE_EQ(trial.tok_s, 9.5);
  EXPECT_EQ(trial.tokens_trimmed, 64U);
  EXPECT_EQ(trial.tokens_lost, 64U);
  ASSERT_TRUE(trial.external_psi && trial.neighbour);
  EXPECT_DOUBLE_EQ(trial.external_psi->some_pct, 40);
  EXPECT_DOUBLE_EQ(trial.neighbour->rounds_s, 2);
  EXPECT_EQ(trial.summary, "run-4-psi.json");
  EXPECT_EQ(trial.journal, "journal-4-psi.jsonl");
}

/// A summary as the engine writes it when context left, some of it came back, and tenants waited.
constexpr const char* kAccount =
    R"({"schema":"kvpsi.run/1","exit":"ok","decoded":10,
    "timing":{"decode_start_us":1000000,"decode_end_us":2000000},
    "kv":{"tokens_final":2300,"resident_bytes":5000,"bytes_per_cell":10},
    "context":{"tokens_trimmed":900,"tokens_restored":700,"tokens_reevaluated":50,"tokens_lost":20,
      "spilled_bytes":9000,"restored_bytes":7000,"reduced_context_s":4.5},
    "decode_end":{"rest_s":12.5,
      "kv":{"tokens_final":1400,"resident_bytes":3000,"spilled_bytes":6000},
      "context":{"tokens_trimmed":900}},
    "conversations":[
      {"idle":true,"prompt_tokens":400,"prefill_start_us":0,
       "then":{"decoded":32,"text":"a","decode_start_us":5000000,"first_token_us":5004000}},
      {"idle":true,"prompt_tokens":500,"prefill_start_us":100000,
       "then":{"decoded":32,"text":"b","decode_start_us":6000000,"first_token_us":6006000}},
      {"idle":true,"prompt_tokens":600,"prefill_start_us":300000,"then":null},
      {"idle":false,"prompt_tokens":600,"prefill_start_us":600000,"decoded":10,"text":"c",
       "then":null}]})";

TEST_F(TrialRecord, AccountsForContextThatLeftAndCameBack) {
  std::ofstream(facts_.summary_path) << kAccount;
  const Trial trial = make();
  EXPECT_EQ(trial.tokens_trimmed, 900U);
  EXPECT_EQ(trial.tokens_restored + trial.tokens_reevaluated, 750U);
  EXPECT_EQ(trial.tokens_lost, 20U);
  EXPECT_EQ(trial.tokens_out, 130U);
  EXPECT_EQ(trial.spilled_bytes, 9000U);
  EXPECT_EQ(trial.restored_bytes, 7000U);
  EXPECT_DOUBLE_EQ(trial.reduced_context_s, 4.5);
  EXPECT_DOUBLE_EQ(trial.rest_s, 12.5);
  EXPECT_EQ(trial.kv_final_tokens, 1400U) << "as decoding ended, before anything came back";
  EXPECT_EQ(trial.kv_bytes_resident_final, 3000U);
}

TEST_F(TrialRecord, TellsOfTenantsThatWaited) {
  std::ofstream(facts_.summary_path) << kAccount;
  const Trial trial = make();
  ASSERT_TRUE(trial.idle);
  EXPECT_EQ(trial.idle->kv_bytes, 15'000U);
  EXPECT_EQ(trial.idle->kv_bytes_returned, 6000U);
  EXPECT_EQ(trial.idle->turns, 2U);
  EXPECT_DOUBLE_EQ(trial.idle->first_token_ms_median, 5);
  EXPECT_DOUBLE_EQ(trial.idle->first_token_ms_max, 6);
  EXPECT_DOUBLE_EQ(trial.idle->prefill_ms, 200);
  write_summary(10);
  EXPECT_FALSE(make().idle);
}

TEST_F(TrialRecord, NamesEveryEnd) {
  EXPECT_EQ(make().exit, "no summary");
  facts_.engine_exit = ChildExit{0, SIGKILL};
  EXPECT_EQ(make().exit, "signal 9");
  facts_.oom_kills = 1;
  EXPECT_EQ(make().exit, "oom-killed");
  facts_.engine_exit = ChildExit{3, 0};
  EXPECT_EQ(make().exit, "exit 3");
  facts_.engine_exit = ChildExit{0, SIGSEGV};
  EXPECT_EQ(make().exit, "signal 11");
  facts_.timed_out = true;
  EXPECT_EQ(make().exit, "prefill-timeout");
  facts_.engine_exit = ChildExit{0, 0};
  write_summary(0);
  EXPECT_EQ(make().exit, "prefill-timeout");
  write_summary(5);
  EXPECT_EQ(make().exit, "timeout");
  facts_.timed_out = false;
  EXPECT_EQ(make().exit, "ok");
}

TEST_F(TrialRecord, NotesSayWhichRunAndWhatItSaid) {
  facts_.engine_exit = ChildExit{3, 0};
  facts_.engine_words = "kvpsi run: no memory";
  facts_.notes = {"began without calm"};
  const auto outcome = make_outcome(job_, facts_);
  ASSERT_EQ(outcome.notes.size(), 2U);
  EXPECT_EQ(outcome.notes[0], "S2 psi trial 4: began without calm");
  EXPECT_EQ(outcome.notes[1], "S2 psi trial 4: kvpsi run: no memory");
  EXPECT_FALSE(outcome.summary);
}

}  // namespace
}  // namespace kvpsi
