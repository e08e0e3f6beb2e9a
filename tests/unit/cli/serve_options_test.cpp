// SPDX-License-Identifier: MIT
// Our words told from llama-server's: ours are taken out, theirs pass as they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/bytes.h"
#include "cli/cmd_serve_options.h"

namespace kvpsi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(ServeOptions, PassOnWhatIsNotOurs) {
  const auto split = split_serve_arguments({"-m", "a.gguf", "-c", "512", "--kv-unified", "-np", "2",
                                            "--no-kv-offload", "--temp", "-1", "--", "-x=y", ""});
  ASSERT_TRUE(split.has_value());
  EXPECT_THAT(split->server, ElementsAre("-m", "a.gguf", "-c", "512", "--kv-unified", "-np", "2",
                                         "--no-kv-offload", "--temp", "-1", "--", "-x=y", ""));
  EXPECT_EQ(split->model, "a.gguf");
  EXPECT_THAT(split->environment, IsEmpty());
  EXPECT_FALSE(split->asks_for_help);
}

TEST(ServeOptions, TakeOursOutAndTellChildren) {
  const auto split = split_serve_arguments({"--kv-max", "1GiB", "-c", "512", "--psi-governor=off",
                                            "--psi-quiet", "--kv-spill-dir", "off", "--port", "0"});
  ASSERT_TRUE(split.has_value());
  EXPECT_THAT(split->server, ElementsAre("-c", "512", "--port", "0"));
  EXPECT_EQ(split->options.kv_max_bytes, kGiB);
  EXPECT_FALSE(split->options.governor);
  EXPECT_TRUE(split->options.quiet);
  EXPECT_EQ(split->options.spill.directory, "off");
  EXPECT_THAT(split->environment, testing::UnorderedElementsAre(Pair("KVPSI_KV_MAX", "1GiB"),
                                                                Pair("KVPSI_PSI_GOVERNOR", "off"),
                                                                Pair("KVPSI_PSI_QUIET", "true"),
                                                                Pair("KVPSI_KV_SPILL_DIR", "off")));
}

TEST(ServeOptions, AreReadFromTheEnvironmentToo) {
  ::setenv("KVPSI_PSI_QUIET", "true", 1);
  ::setenv("KVPSI_KV_MIN", "2MiB", 1);
  const auto split = split_serve_arguments({});
  ::unsetenv("KVPSI_PSI_QUIET");
  ::unsetenv("KVPSI_KV_MIN");
  ASSERT_TRUE(split.has_value());
  EXPECT_TRUE(split->options.quiet);
  EXPECT_EQ(split->options.kv_min_bytes, 2 * kMiB);
}

TEST(ServeOptions, RefuseInOneLine) {
  const struct {
    std::vector<std::string> words;
    const char* what;
  } cases[] = {
      {{"--psi-quite"}, "unknown option '--psi-quite', did you mean '--psi-quiet'?"},
      {{"--kv-max"}, "--kv-max"},
      {{"--kv-max", "much"}, "--kv-max"},
      {{"--psi-governor", "maybe"}, "'maybe' is none of on|off"},
      {{"--psi-require", "--psi-governor", "off"}, "--psi-require needs the governor"},
      {{"--psi-dry-run", "--psi-governor", "off"}, "--psi-dry-run needs --psi-governor on"},
      {{"--kv-min", "2GiB", "--kv-max", "1GiB"},
       "--kv-min 2.00 GiB is more than --kv-max 1.00 GiB"},
  };
  for (const auto& each : cases) {
    const auto split = split_serve_arguments(each.words);
    ASSERT_FALSE(split.has_value()) << each.words[0];
    EXPECT_THAT(split.error().what, HasSubstr(each.what));
    EXPECT_EQ(split.error().what.find('\n'), std::string::npos);
  }
}

TEST(ServeOptions, KnowHelpAndVersion) {
  EXPECT_TRUE(split_serve_arguments({"-c", "1", "--help"})->asks_for_help);
  EXPECT_TRUE(split_serve_arguments({"--version"})->asks_for_version);
  EXPECT_THAT(serve_help(), HasSubstr("--psi-require"));
  EXPECT_THAT(serve_help(), HasSubstr("KVPSI_KV_MAX"));
}

}  // namespace
}  // namespace kvpsi
