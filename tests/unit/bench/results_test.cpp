// SPDX-License-Identifier: MIT
// Results survive the way to JSON and back, whole; a file that is cut anywhere is refused in one
// line; a file is replaced at once or not at all.
#include "bench/results.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace kvpsi {
namespace {

BenchResults full_results() {
  BenchResults results;
  results.context.host = "host \"quoted\"";
  results.context.kernel = "6.18";
  results.context.model_sha256 = "b179";
  results.context.seed = ~0ULL;
  results.context.started_s = 1'700'000'000;
  results.context.complete = true;
  results.context.warnings = {"one", "two"};
  SqueezeContext squeeze;
  squeeze.squeeze = Squeeze::s2;
  squeeze.scope = "cgroup";
  squeeze.limit_bytes = 1ULL << 40;
  squeeze.neighbour_alone = NeighbourRate{812.5, 1.25};
  squeeze.pressure_arose = false;
  results.context.squeezes = {squeeze};
  Trial trial;
  trial.trial = 3;
  trial.squeeze = Squeeze::s2;
  trial.order = Order::psi_first;
  trial.position = 1;
  trial.variant = Variant::trim_only;
  trial.exit = "oom-killed";
  trial.decoded = 17;
  trial.tok_s = 4.25;
  trial.latency_ms = {1, 2, 3.5};
  trial.own_psi = StallPct{0.5, 0.25};
  trial.text_equal = false;
  trial.reaction_ms = 12.5;
  Trial bare;
  bare.journal = "journal-3-fixed.jsonl";
  results.trials = {trial, bare};
  results.verdicts = {{"S2 psi/fixed tok_s", 5.5, 4.5, 6.5, 1.02, 10, "supported: ..."},
                      {"A first alphabetically", 1, std::nullopt, std::nullopt, std::nullopt, 1,
                       "inconclusive: ..."}};
  return results;
}

TEST(Results, RoundTripKeepsEverything) {
  const BenchResults results = full_results();
  const auto read = parse_results(to_json(results));
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(*read, results);
}

TEST(Results, EmptyRoundTrip) {
  const auto read = parse_results(to_json(BenchResults{}));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, BenchResults{});
}

TEST(Results, JsonHasTheShapeOfTheSchema) {
  const std::string json = to_json(full_results());
  for (const char* piece :
       {"\"schema\": \"kvpsi.bench/1\"", "\"variant\": \"trim-only\"", "\"order\": \"psi-first\"",
        "\"ci95\": [", "\"external_psi\": null", "\"rounds_s\": 812.5"}) {
    EXPECT_NE(json.find(piece), std::string::npos) << piece;
  }
}

TEST(Results, CutAnywhereIsRefusedInOneLine) {
  const std::string json = to_json(full_results());
  // All but the closing brace and line feed: without only the line feed it is still whole.
  for (std::size_t cut = 0; cut + 2 < json.size(); cut += 7) {
    const auto read = parse_results(json.substr(0, cut), "results.json");
    ASSERT_FALSE(read) << "cut at " << cut;
    EXPECT_EQ(read.error().code, ErrorCode::malformed);
    EXPECT_EQ(describe(read.error()).find('\n'), std::string::npos);
    EXPECT_EQ(read.error().path, "results.json");
  }
}

TEST(Results, RefusesOtherContent) {
  EXPECT_FALSE(parse_results("[]"));
  EXPECT_FALSE(parse_results("{\"schema\":\"kvpsi.run/1\"}"));
  EXPECT_FALSE(parse_results("{\"schema\":\"kvpsi.bench/1\"}"));
  std::string wrong = to_json(full_results());
  wrong.replace(wrong.find("trim-only"), 9, "trim-nope");
  const auto read = parse_results(wrong);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().what.find("trim-nope"), std::string::npos);
}

TEST(Results, UnknownFieldsOfNewerFilesAreIgnored) {
  std::string json = to_json(full_results());
  json.insert(json.find("\"context\": {") + 12, "\"from_the_future\": {\"x\": [1]},");
  const auto read = parse_results(json);
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(*read, full_results());
}

class ResultsFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/kvpsi-results-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
};

TEST_F(ResultsFile, WritesWholeAndLeavesNoTemporaryFile) {
  const std::string path = dir_ + "/results.json";
  ASSERT_TRUE(write_results(BenchResults{}, path));
  ASSERT_TRUE(write_results(full_results(), path));
  const auto read = read_results(path);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, full_results());
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir_)) ++files;
  EXPECT_EQ(files, 1);
}

TEST_F(ResultsFile, MissingFileAndMissingFolderAreErrors) {
  EXPECT_EQ(read_results(dir_ + "/none.json").error().code, ErrorCode::not_found);
  EXPECT_EQ(write_results(BenchResults{}, dir_ + "/none/results.json").error().code, ErrorCode::io);
}

}  // namespace
}  // namespace kvpsi
