// SPDX-License-Identifier: MIT
// docs/journal-format.md holds the field tables of the code, line by line. Run this test with
// KVPSI_UPDATE_DOCS=1 in the environment to rewrite the tables after a field has changed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "journal/tick_json.h"

namespace kvpsi {
namespace {

std::string type_name(bool) { return "boolean"; }
std::string type_name(std::uint64_t) { return "integer"; }
std::string type_name(std::int64_t) { return "signed integer"; }
std::string type_name(double) { return "number"; }
std::string type_name(const std::optional<std::uint64_t>&) { return "integer or null"; }
std::string type_name(const std::optional<PsiTotals>&) { return "totals or null"; }

template <class T>
  requires std::is_enum_v<T>
std::string type_name(T) {
  std::string names;
  for (int i = 0; name(static_cast<T>(i)) != "unknown"; ++i) {
    names += fmt::format("{}{}", i == 0 ? "" : ", ", name(static_cast<T>(i)));
  }
  return names;
}

template <class Record>
std::string table() {
  std::string text = "| field | type | unit | meaning |\n|---|---|---|---|\n";
  const Record record;
  visit_fields(
      [&](const Field& field, const auto& value) {
        text += fmt::format("| `{}` | {} | {} | {} |\n", field.name, type_name(value), field.unit,
                            field.help);
      },
      record);
  return text;
}

struct Section {
  std::string name;
  std::string text;
};

std::vector<Section> sections() {
  return {{"sample", table<Sample>()},     {"pools", table<PoolView>()},
          {"outcomes", table<Outcome>()},  {"signal", table<Signal>()},
          {"decision", table<Decision>()}, {"actions", table<Action>()}};
}

TEST(JournalFormatPage, HoldsTheFieldTables) {
  const std::string path = std::string(KVPSI_SOURCE_DIR) + "/docs/journal-format.md";
  std::ifstream file(path);
  std::string page{std::istreambuf_iterator<char>(file), {}};
  std::string updated = page;
  for (const Section& section : sections()) {
    const std::string begin_mark = fmt::format("<!-- fields of {} -->\n", section.name);
    const std::size_t mark = updated.find(begin_mark);
    ASSERT_NE(mark, std::string::npos) << begin_mark;
    const std::size_t begin = mark + begin_mark.size();
    const std::size_t end = updated.find("<!-- end -->", begin);
    ASSERT_NE(end, std::string::npos) << section.name;
    updated.replace(begin, end - begin, section.text);
  }
  if (std::getenv("KVPSI_UPDATE_DOCS") != nullptr) std::ofstream(path) << updated;
  EXPECT_EQ(page, updated) << "run this test with KVPSI_UPDATE_DOCS=1";
  EXPECT_NE(page.find(std::string(kTickSchema)), std::string::npos);
}

TEST(JournalFormatPage, ShowsEveryMemberOfALine) {
  std::ifstream file(std::string(KVPSI_SOURCE_DIR) + "/docs/journal-format.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  for (const char* member :
       {"schema", "sample", "pools", "outcomes", "give_back_asked", "paused", "kv_soft_max_bytes",
        "signal", "decision", "actions", "config_hash", "state_hash", "dry_run", "cost_us"}) {
    EXPECT_NE(tick_to_json(Tick{}).find(fmt::format("\"{}\":", member)), std::string::npos);
    EXPECT_NE(page.find(fmt::format("`{}`", member)), std::string::npos) << member;
  }
}

}  // namespace
}  // namespace kvpsi
