// SPDX-License-Identifier: MIT
// Scenario files: what ships is sound, what is wrong is refused with its place, and a seed moves
// times and sizes without changing their order.
#include "sim/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/bytes.h"
#include "support/shipped.h"

namespace kvpsi {
namespace {

constexpr std::string_view kEngine =
    R"("engine": {"weights": "92MiB", "base": "15MiB", "bytes_per_token": "22.5KiB",
        "context": 6144})";

std::string with(const std::string& rest) {
  return R"({"title": "t", "duration_s": 100, "machine": {"ram": "8GiB"}, )" +
         std::string(kEngine) + R"(, "workload": [])" + (rest.empty() ? "" : ", " + rest) + "}";
}

TEST(ShippedScenariosTest, are_many_and_sound) {
  std::set<std::string_view> names;
  for (const ShippedScenario& shipped : shipped_scenarios()) {
    const auto scenario = parse_scenario(shipped.text, shipped.name);
    ASSERT_TRUE(scenario) << describe(scenario.error());
    EXPECT_EQ(scenario->title, shipped.title);
    EXPECT_EQ(scenario->name, shipped.name);
    EXPECT_FALSE(scenario->workload.empty()) << shipped.name;
    names.insert(shipped.name);
  }
  EXPECT_GE(names.size(), 27U);
  EXPECT_EQ(names.size(), shipped_scenarios().size());
}

TEST(ParseScenarioTest, reads_every_part) {
  const auto scenario = parse_scenario(R"({
    // comments are allowed
    "title": "all of it", "duration_s": 120.5,
    "machine": {"ram": "8GiB", "swap": "1GiB", "zram": true, "cpus": 4, "other_used": "1GiB",
                "cold_file": "64MiB", "disk_read_per_s": "100MiB", "psi": false},
    "group": {"limit": "300MiB", "cold_file": "10MiB"},
    "engine": {"weights": "92MiB", "base": "15MiB", "bytes_per_token": "22.5KiB", "context": 6144,
               "trim": "last-resort", "kv_min": "1MiB", "kv_max": "64MiB", "keep": 4, "tail": 8},
    "workload": [{"prompt": 10, "answer": 20, "copies": 2, "apart_s": 3, "turns": 0}],
    "neighbours": [{"kind": "trace", "where": "group", "trace": [[0, "1MiB"], [5, "2MiB"]]}],
    "events": [{"kind": "limit", "at_s": 10, "bytes": "200MiB"}, {"kind": "limit", "at_s": 20}],
    "expect": {"relief_s": 0, "may_oom": true, "settle_s": 30}})",
                                       "all");
  ASSERT_TRUE(scenario) << describe(scenario.error());
  EXPECT_EQ(scenario->machine.swap_bytes, kGiB);
  EXPECT_FALSE(scenario->machine.has_psi);
  EXPECT_EQ(scenario->group.limit_bytes, 300 * kMiB);
  EXPECT_EQ(scenario->engine.bytes_per_token, 23'040U);
  ASSERT_EQ(scenario->workload.size(), 2U);
  EXPECT_EQ(scenario->workload[1].start_s, 3);
  EXPECT_EQ(scenario->neighbours[0].end_s, 120.5);
  EXPECT_FALSE(scenario->events[1].bytes);
  EXPECT_EQ(scenario->expect.relief_s, 0);
  const PolicyConfig config = make_policy_config(*scenario);
  EXPECT_TRUE(config.trim_allowed);
  EXPECT_EQ(config.kv_max_bytes, 64 * kMiB);
}

struct BadFile {
  std::string json;
  std::string what;
};

TEST(ParseScenarioTest, refuses_with_what_and_where) {
  const BadFile files[] = {
      {"{", "is not JSON (comments are allowed): line 1, column 2: syntax error"},
      {R"({"duration_s": 1e400})", "is not JSON (comments are allowed): "},
      {"[]", "scenario: must be an object"},
      {R"({"title": "t"})", "duration_s: is missing"},
      {with(R"("typo": 1)"), "typo: unknown key"},
      {with(R"("group": {"limit": 300})"), "group.limit: a size is text with a unit"},
      {with(R"("group": {"limit": "300MB/s"})"),
       "group.limit: '300MB/s' is not a size; write a number and B, KiB"},
      {with(R"("group": {"limit": "0"})"), "group.limit: must be more than 0"},
      {with(R"("neighbours": {})"), "neighbours: must be a list"},
      {with(R"("neighbours": [{"kind": "wave"}])"), "neighbours[0].kind: \"wave\" is none of step"},
      {with(R"("neighbours": [{"kind": "ramp", "bytes": "1MiB"}])"),
       "neighbours[0].period_s: must be more than 0"},
      {with(R"("neighbours": [{"kind": "step", "bytes": "1MiB", "period_s": 3}])"),
       "neighbours[0].period_s: means nothing for this kind"},
      {with(R"("neighbours": [{"kind": "step", "bytes": "1MiB", "where": "group"}])"),
       "neighbours[0].where: there is no group with a limit"},
      {with(R"("neighbours": [{"kind": "step", "bytes": "1MiB", "start_s": 9, "end_s": 9}])"),
       "neighbours[0].end_s: must be after"},
      {with(R"("neighbours": [{"kind": "step", "bytes": "1MiB", "end_s": 100.5}])"),
       "neighbours[0].end_s: is after the end of the scenario"},
      {with(R"("neighbours": [{"kind": "step", "bytes": "1MiB", "start_s": 100, "end_s": 99}])"),
       "neighbours[0].start_s: is after the end of the scenario"},
      {with(R"("neighbours": [{"kind": "trace", "trace": [[5, "1MiB"], [100, "1MiB"]]}])"),
       "neighbours[0].trace[1]: is after the end of the scenario"},
      {with(R"("neighbours": [{"kind": "trace", "trace": [[-1, "1MiB"]]}])"),
       "neighbours[0].trace[0]: its time must be at least 0"},
      {with(R"("neighbours": [{"kind": "foreign", "bytes": "1MiB"}])"),
       "neighbours[0].own_limit: belongs to the kind foreign"},
      {with(R"("neighbours": [{"kind": "trace", "trace": [[5, "1MiB"], [5, "1MiB"]]}])"),
       "neighbours[0].trace[1]: times must rise"},
      {with(R"("neighbours": [{"kind": "step", "bytes": "1MiB", "file_share": 1.5}])"),
       "neighbours[0].file_share: must be a share"},
      {with(R"("events": [{"kind": "suspend", "at_s": 5}])"), "events[0].seconds: belongs to"},
      {with(R"("events": [{"kind": "pause", "at_s": 5}, {"kind": "resume", "at_s": 4}])"),
       "events[1].at_s: events must be in order"},
      {with(R"("events": [{"kind": "pause", "at_s": 100}])"), "events[0].at_s: is after the end"},
      {with(R"("expect": {"relief_s": 40})"),
       "expect.relief_s: with \"settle_s\" (60) and the tenth that seeds may take off, it leaves "
       "nothing to check: \"duration_s\" must be more than 106.7"},
      {with(R"("expect": {"relief_s": 91, "settle_s": 9})"),
       "expect.relief_s: with \"settle_s\" (9)"},
      {with(R"("expect": {"settle_s": 9})"), "expect.settle_s: means nothing without"},
      {with(R"("expect": {"relief_s": -1})"), "expect.relief_s: must be a number"},
  };
  for (const BadFile& file : files) {
    const auto scenario = parse_scenario(file.json, "bad.json");
    ASSERT_FALSE(scenario) << file.json;
    EXPECT_THAT(describe(scenario.error()), testing::StartsWith("bad.json: " + file.what));
  }
}

TEST(ParseScenarioTest, refuses_an_engine_that_contradicts_itself) {
  const auto parse = [](const std::string& more, const std::string& workload) {
    const auto scenario = parse_scenario(
        R"({"title": "t", "duration_s": 9, "machine": {"ram": "8GiB"}, "engine": {"weights": "1MiB",
        "base": "1MiB", "bytes_per_token": "1KiB", "context": 512)" +
            more + R"(}, "workload": [)" + workload + "]}",
        "bad");
    return scenario ? std::string() : scenario.error().what;
  };
  EXPECT_EQ(parse("", R"({"prompt": 100})"), "");
  EXPECT_THAT(parse(R"(, "keep": 300, "tail": 212)", ""), testing::StartsWith("engine.tail: "));
  EXPECT_THAT(parse(R"(, "kv_min": "2MiB", "kv_max": "1MiB")", ""),
              testing::StartsWith("engine.kv_min: "));
  EXPECT_THAT(parse(R"(, "trim": "always")", ""), testing::StartsWith("engine.trim: "));
  EXPECT_THAT(parse("", R"({"prompt": 0})"), testing::StartsWith("workload[0].prompt: "));
  EXPECT_THAT(parse("", R"({"prompt": 400, "answer": 80})"),
              testing::StartsWith("workload[0].prompt: with its answer"));
}

TEST(VaryScenarioTest, moves_by_a_tenth_and_follows_from_the_seed) {
  const Scenario scenario = test::load_shipped("step_lossy");
  std::set<std::uint64_t> sizes;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Scenario varied = vary_scenario(scenario, seed);
    const double time = varied.duration_s / scenario.duration_s;
    EXPECT_GE(time, 0.9);
    EXPECT_LE(time, 1.1);
    EXPECT_NEAR(*varied.expect.relief_s, *scenario.expect.relief_s * time, 1e-9);
    EXPECT_NEAR(varied.neighbours[0].end_s, scenario.neighbours[0].end_s * time, 1e-9);
    const double size = static_cast<double>(varied.neighbours[0].bytes) /
                        static_cast<double>(scenario.neighbours[0].bytes);
    EXPECT_NEAR(size, 1.0, 0.1001);
    EXPECT_EQ(varied.group.limit_bytes, scenario.group.limit_bytes);
    EXPECT_EQ(vary_scenario(scenario, seed).neighbours[0].bytes, varied.neighbours[0].bytes);
    sizes.insert(varied.neighbours[0].bytes);
  }
  EXPECT_GT(sizes.size(), 190U);
}

}  // namespace
}  // namespace kvpsi
