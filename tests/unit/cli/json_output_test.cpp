// SPDX-License-Identifier: MIT
// docs/json-output.md holds every member, with its type, of what the program prints as JSON, and
// nothing else.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#if KVPSI_LLAMA
#include "cli/cmd_run_summary.h"
#endif
#include "cli/cmd_simulate_replay.h"
#include "cli/cmd_simulate_report.h"
#include "cli/status_answer.h"
#include "cli/status_request.h"
#include "journal/config_json.h"
#include "journal/tick_json.h"
#include "report/explain_json.h"
#include "support/fake_machine.h"
#include "unit/report/example_results.h"

namespace kvpsi {
namespace {

using Json = nlohmann::json;

/// Types of each member, "[]" standing for the items of a list.
using Members = std::map<std::string, std::set<std::string>>;

std::string type_name(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "boolean";
    case Json::value_t::string:
      return "text";
    case Json::value_t::array:
      return "list";
    case Json::value_t::object:
      return "object";
    case Json::value_t::number_float:
      return "number";
    default:
      return "integer";
  }
}

/// Described in journal-format.md.
bool is_opaque(const std::string& path) {
  return path == "turn.tick" || path == "turn.config" || path == "tick";
}

void collect(const Json& value, const std::string& path, Members& members) {
  if (!path.empty() && !path.ends_with("[]")) members[path].insert(type_name(value));
  if (is_opaque(path)) return;
  if (value.is_array()) {
    for (const Json& item : value) collect(item, path + "[]", members);
  }
  if (!value.is_object()) return;
  for (const auto& [key, member] : value.items()) {
    collect(member, path.empty() ? key : fmt::format("{}.{}", path, key), members);
  }
}

Members members_of(const std::vector<std::string>& documents) {
  Members members;
  for (const std::string& text : documents) collect(Json::parse(text), "", members);
  return members;
}

/// "object or null": null comes last.
std::set<std::string> parse_types(const std::string& text) {
  const auto at = text.find(" or ");
  if (at == std::string::npos) return {text};
  return {text.substr(0, at), text.substr(at + 4)};
}

Members documented(const std::string& section) {
  std::ifstream file(std::string(KVPSI_SOURCE_DIR) + "/docs/json-output.md");
  const std::string mark = fmt::format("<!-- members of {} -->", section);
  Members members;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line == mark) inside = true;
    if (line == "<!-- end -->") inside = false;
    if (!inside || !line.starts_with("| `")) continue;
    const auto name_end = line.find("` | ");
    const auto type_end = line.find(" | ", name_end + 4);
    members[line.substr(3, name_end - 3)] =
        parse_types(line.substr(name_end + 4, type_end - name_end - 4));
    EXPECT_GT(line.size(), type_end + 5) << "no meaning: " << line;
  }
  return members;
}

class JsonOutputPage : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    config_.trim_allowed = true;
    ticks_ = test::record_lossy_squeeze(config_, 12'000'000);
    common_.json = true;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// What --replay prints about `ticks_`.
  std::string replayed(const std::string& constants) const {
    std::ofstream journal(folder_ + "/journal");
    journal << config_to_json(config_) << '\n';
    for (const Tick& tick : ticks_) journal << tick_to_json(tick) << '\n';
    journal.close();
    std::ofstream(folder_ + "/constants") << constants;
    testing::internal::CaptureStdout();
    run_replay({folder_ + "/journal", constants.empty() ? "" : folder_ + "/constants"}, common_);
    return testing::internal::GetCapturedStdout();
  }

  const std::string folder_ = testing::TempDir() + "kvpsi_json_" + std::to_string(::getpid());
  PolicyConfig config_;
  std::vector<Tick> ticks_;
  CommonOptions common_;
};

TEST_F(JsonOutputPage, HoldsSimulate) {
  SimulateResults results{.seeds = 1, .wall_s = 0.5, .scenarios = {}};
  RunReport run{.seed = 1, .score = {}, .violations = {{"safety", 1.5, "what"}}};
  const RunReport rival{.seed = 1,
                        .law = LawKind::avg10,
                        .score = {.own_stall_s = 2, .kv_given_up_mib_s = 3},
                        .violations = {}};
  results.scenarios.emplace_back("quiet").runs = {run, rival};
  EXPECT_EQ(documented("kvpsi.simulate/1"), members_of({simulate_json(results)}));
  EXPECT_EQ(documented("list"), members_of({scenarios_json()}));
}

TEST(JsonOutputPageOfBench, HoldsBench) {
  BenchResults results = test::example_results();
  test::add_s3_trials(results.trials);
  Trial bare;  // what a run that ended early leaves
  results.trials.push_back(bare);
  results.context.squeezes.emplace_back();
  results.verdicts = {{"METRIC", 1.5, 1.0, 2.0, 1.1, 3, "words"}};
  BenchResults few = results;
  few.verdicts = {{"METRIC", 1.5, std::nullopt, std::nullopt, std::nullopt, 1, "words"}};
  EXPECT_EQ(documented("kvpsi.bench/1"), members_of({to_json(results), to_json(few)}));
}

TEST_F(JsonOutputPage, HoldsReplayAndWhatIf) {
  EXPECT_EQ(documented("kvpsi.whatif/1"), members_of({replayed("trim_allowed = false\n")}));
  ticks_[5].decision.need_bytes += 7;
  EXPECT_EQ(documented("kvpsi.replay/1"), members_of({replayed("")}));
}

TEST_F(JsonOutputPage, HoldsExplain) {
  const auto acts = [](const Tick& tick) { return !tick.decision.actions.empty(); };
  const auto first = std::ranges::find_if(ticks_, acts);
  ASSERT_NE(first, ticks_.end());
  const auto turn = static_cast<std::size_t>(first - ticks_.begin());
  const std::span<const Tick> whole(ticks_);
  EXPECT_EQ(
      documented("kvpsi.explain/1"),
      members_of({events_json(explain_events(ticks_, false)), turn_json(whole, turn, &config_),
                  turn_json(whole.first(turn + 1), turn, nullptr)}));
}

TEST_F(JsonOutputPage, HoldsStatus) {
  const StatusFacts facts{.pid = 7, .command = "run", .model = "m.gguf"};
  EXPECT_EQ(documented("kvpsi.status/1"), members_of({make_status_answer(facts, ticks_.back()),
                                                      make_status_answer(facts, std::nullopt)}));
}

TEST_F(JsonOutputPage, HoldsControl) {
  EXPECT_EQ(documented("kvpsi.control/1"),
            members_of({make_control_answer({.pid = 7}, 2, 1, ticks_.back()),
                        make_control_answer({.pid = 7}, std::nullopt, std::nullopt, Tick{}),
                        make_error_answer(Error{ErrorCode::invalid_argument, "why", {}, 0})}));
}

#if KVPSI_LLAMA
TEST(JsonOutputPageRun, HoldsRun) {
  RunRecord plain;
  RunRecord full;
  full.own_psi = OwnPsi{};
  full.generation.token_t_us = {1};
  full.ungoverned = {"why"};
  full.conversations.resize(2);
  full.conversations[0].second = Generation{};
  EXPECT_EQ(documented("kvpsi.run/1"), members_of({summary_json(plain), summary_json(full)}));
}
#endif

/// The requests of the page's last table are those that the program takes.
TEST(JsonOutputPageRequests, AreTaken) {
  std::ifstream file(std::string(KVPSI_SOURCE_DIR) + "/docs/json-output.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  for (const StatusRequest& request :
       {StatusRequest{}, StatusRequest{true, std::nullopt}, StatusRequest{true, 64}}) {
    std::string line = format_status_request(request);
    if (line.ends_with("64")) line.replace(line.size() - 2, 2, "SIZE");
    EXPECT_NE(page.find("\n| `" + line + "`"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace kvpsi
