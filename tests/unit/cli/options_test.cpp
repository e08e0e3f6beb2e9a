// SPDX-License-Identifier: MIT
// The option helpers: what they take, what they refuse and in which words, and who wins when flag,
// environment and file disagree.
#include "cli/options.h"

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cli/config_file.h"
#include "cli/suggest.h"

namespace kvpsi {
namespace {

using testing::HasSubstr;

enum class Fruit : std::uint8_t { apple, pear };

class OptionsTest : public testing::Test {
 protected:
  OptionsTest() {
    add_bytes_option(app_, "--size", size_, "size");
    add_on_off_option(app_, "--power", power_, "power");
    add_number_option(app_, "--count", count_, 1, 10, "count");
    add_number_option(app_, "--share", share_, 0.0, 1.0, "share");
    add_choice_option<Fruit>(app_, "--fruit", fruit_,
                             {{"apple", Fruit::apple}, {"pear", Fruit::pear}}, "fruit");
    app_.set_config("--config");
    app_.config_formatter(
        std::make_shared<ConfigFileReader>(app_, "cook", std::vector<std::string>{"bake"}));
    app_.allow_config_extras(CLI::config_extras_mode::error);
    name_environment_variables(app_);
  }
  ~OptionsTest() override { ::unsetenv("KVPSI_COUNT"); }

  void parse(std::vector<std::string> words) {
    std::ranges::reverse(words);
    app_.parse(words);
  }

  /// The words of the error that parsing ends with.
  std::string refuse(const std::vector<std::string>& words) {
    try {
      parse(words);
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return {};
  }

  void TearDown() override { std::filesystem::remove(config_path_); }

  /// A file of this process alone: test programs run side by side.
  std::string write_config(const std::string& text) {
    std::ofstream(config_path_) << text;
    return config_path_;
  }

  const std::string config_path_ =
      testing::TempDir() + "kvpsi_options_test_" + std::to_string(::getpid()) + ".toml";

  CLI::App app_;
  std::uint64_t size_ = 0;
  bool power_ = true;
  int count_ = 5;
  double share_ = 0.5;
  Fruit fruit_ = Fruit::apple;
};

TEST_F(OptionsTest, TakesSizesSwitchesNumbersAndChoices) {
  parse({"--size", "1.5GiB", "--power=off", "--count", "7", "--share", "0.25", "--fruit", "pear"});
  EXPECT_EQ(size_, 1536 * kMiB);
  EXPECT_FALSE(power_);
  EXPECT_EQ(count_, 7);
  EXPECT_DOUBLE_EQ(share_, 0.25);
  EXPECT_EQ(fruit_, Fruit::pear);
}

TEST_F(OptionsTest, RefusesInWordsThatNameOptionAndValue) {
  EXPECT_THAT(refuse({"--size", "big"}), HasSubstr("--size: 'big' is not a size"));
  EXPECT_THAT(refuse({"--power", "maybe"}), HasSubstr("'maybe' is none of on|off"));
  EXPECT_THAT(refuse({"--count", "11"}), HasSubstr("'11' is not a number from 1 to 10"));
  EXPECT_THAT(refuse({"--count", "3x"}), HasSubstr("'3x'"));
  EXPECT_THAT(refuse({"--share", "nan"}), HasSubstr("'nan'"));
  EXPECT_THAT(refuse({"--fruit", "plum"}), HasSubstr("'plum' is none of apple|pear"));
}

TEST_F(OptionsTest, FlagBeatsEnvironmentBeatsFile) {
  const std::string path = write_config("count = 2\nshare = 0.125\n");
  ::setenv("KVPSI_COUNT", "3", 1);
  parse({"--config", path});
  EXPECT_EQ(count_, 3);
  EXPECT_DOUBLE_EQ(share_, 0.125);
  parse({"--config", path, "--count", "4"});
  EXPECT_EQ(count_, 4);
}

TEST_F(OptionsTest, ReadsItsOwnSectionAndSkipsThatOfAnotherCommand) {
  parse({"--config", write_config("[bake]\nheat = 200\n[cook]\ncount = 9\nfruit = \"pear\"\n")});
  EXPECT_EQ(count_, 9);
  EXPECT_EQ(fruit_, Fruit::pear);
}

TEST_F(OptionsTest, RefusesUnknownKeysAndSections) {
  EXPECT_THAT(refuse({"--config", write_config("coumt = 2\n")}),
              HasSubstr("unknown key 'coumt' in the configuration file; did you mean 'count'?"));
  EXPECT_THAT(refuse({"--config", write_config("[fry]\ncount = 2\n")}),
              HasSubstr("unknown section [fry]"));
  EXPECT_THAT(refuse({"--config", "/nonexistent/file"}), HasSubstr("/nonexistent/file"));
}

TEST(NearestWord, FindsTheTypoAndNothingFarAway) {
  const std::vector<std::string> known{"run", "status", "doctor"};
  EXPECT_EQ(nearest_word("stauts", known), "status");
  EXPECT_EQ(nearest_word("docter", known), "doctor");
  EXPECT_EQ(nearest_word("elephant", known), "");
}

}  // namespace
}  // namespace kvpsi
