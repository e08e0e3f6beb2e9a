// SPDX-License-Identifier: MIT
// The configuration line of a journal: exact both ways, refused when it does not fit itself.
#include "journal/config_json.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "journal/reader.h"
#include "journal/tick_json.h"
#include "journal/writer.h"
#include "support/example_tick.h"

namespace kvpsi {
namespace {

std::string change(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class ConfigJournal : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  void write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }

  const std::string path_ =
      testing::TempDir() + "kvpsi_config_" + std::to_string(::getpid()) + ".jsonl";
};

TEST(ConfigJson, GoesThereAndBackExactly) {
  PolicyConfig config;
  config.trim_allowed = true;
  config.kv_max_bytes = UINT64_MAX;
  config.high_some = 0.1 + 0.2;
  const std::string line = config_to_json(config);
  EXPECT_TRUE(is_config_line(line));
  const Result<PolicyConfig> back = config_from_json(line);
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_EQ(*back, config);
  EXPECT_EQ(back->hash(), config.hash());
}

TEST(ConfigJson, SaysWhatIsWrong) {
  const std::string line = config_to_json({});
  const struct {
    std::string from;
    std::string to;
    ErrorCode code;
    std::string what;
  } cases[] = {
      {"\"high_some\":0.1", "\"high_some\":0.2", ErrorCode::malformed,
       "config_hash does not fit the config"},
      {"\"trim_allowed\":false", "\"trim_allowed\":0", ErrorCode::malformed,
       "config.trim_allowed has a wrong value"},
      {"\"kv_min_bytes\":0", "\"kv_min_bytes\":-1", ErrorCode::malformed,
       "config.kv_min_bytes has a wrong value"},
      {"\"high_some\":0.1,", "", ErrorCode::unsupported,
       "config.high_some is missing: another version wrote it"},
      {"\"config\":{", "\"config\":{\"zeal\":1,", ErrorCode::unsupported,
       "config has unknown fields: another version wrote it"},
      {"config/1", "config/2", ErrorCode::unsupported, "is not of schema kvpsi.config/1"},
  };
  for (const auto& c : cases) {
    const Result<PolicyConfig> config = config_from_json(change(line, c.from, c.to));
    ASSERT_FALSE(config) << c.what;
    EXPECT_EQ(config.error().code, c.code);
    EXPECT_EQ(config.error().what, c.what);
  }
  EXPECT_EQ(config_from_json("[]").error().what, "is not a JSON object");
}

TEST_F(ConfigJournal, WriterBeginsWithIt) {
  PolicyConfig config;
  config.kv_min_bytes = 12345;
  {
    auto writer = *JournalWriter::open(path_, config);
    writer->on_tick(test::example_tick());
    EXPECT_EQ(writer->flush().lines_written, 1u);
  }
  const Result<Journal> journal = read_journal(path_);
  ASSERT_TRUE(journal) << describe(journal.error());
  ASSERT_NE(journal->configs.at(0), nullptr);
  EXPECT_EQ(*journal->configs.at(0), config);
  EXPECT_EQ(journal->ticks.size(), 1u);
}

TEST_F(ConfigJournal, LaterConfigReplacesTheFormer) {
  PolicyConfig second;
  second.trim_allowed = true;
  const std::string tick = tick_to_json(test::example_tick()) + "\n";
  write(config_to_json({}) + "\n" + tick + config_to_json(second) + "\n" + tick);
  auto reader = *JournalReader::open(path_);
  ASSERT_TRUE(*reader.next());
  EXPECT_EQ(reader.config(), PolicyConfig{});
  ASSERT_TRUE(*reader.next());
  EXPECT_EQ(reader.config(), second);
  const ConfigTimeline configs = read_journal(path_)->configs;
  ASSERT_EQ(configs.changes().size(), 2u);
  EXPECT_EQ(*configs.at(0), PolicyConfig{});
  EXPECT_EQ(*configs.at(1), second);
}

TEST_F(ConfigJournal, JournalsWithoutOneAreRead) {
  write(tick_to_json(test::example_tick()) + "\n");
  const Result<Journal> journal = read_journal(path_);
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->configs.at(0), nullptr);
}

TEST_F(ConfigJournal, CutConfigLineIsLeftOutAndGarbledOneNamed) {
  const std::string line = config_to_json({});
  write(line.substr(0, line.size() / 2));
  const Result<Journal> cut = read_journal(path_);
  ASSERT_TRUE(cut) << describe(cut.error());
  EXPECT_TRUE(cut->ends_in_cut_line);
  EXPECT_EQ(cut->configs.at(0), nullptr);
  write(line.substr(0, line.size() / 2) + "\n");
  EXPECT_EQ(read_journal(path_).error().what, "line 1: is not a JSON object");
}

}  // namespace
}  // namespace kvpsi
