// SPDX-License-Identifier: MIT
// Children start in their groups, without our variables, end as told, and explain a failed start.
#include "bench/child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace kvpsi {
namespace {

class ChildTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/kvpsi-child-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  ChildOptions shell(const std::string& script) const {
    ChildOptions options;
    options.executable = "/bin/sh";
    options.arguments = {"-c", script};
    options.stdout_path = dir_ + "/out";
    options.stderr_path = dir_ + "/err";
    return options;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(dir_ + "/" + name).rdbuf();
    return text.str();
  }
  static ChildExit wait(Child& child) {
    while (!child.poll()) sleep_ms(5);
    return *child.poll();
  }
  std::string dir_;
};

TEST_F(ChildTest, OutputGoesToFilesAndTheCodeComesBack) {
  auto child = Child::start(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(child) << describe(child.error());
  const ChildExit exit = wait(*child);
  EXPECT_EQ(exit.code, 3);
  EXPECT_EQ(exit.describe(), "exit 3");
  EXPECT_EQ(read("out"), "out\n");
  EXPECT_EQ(read("err"), "err\n");
}

TEST_F(ChildTest, JoinsBeforeItRuns) {
  std::ofstream(dir_ + "/procs") << "";
  ChildOptions options = shell("cat " + dir_ + "/procs");
  options.join_files = {dir_ + "/procs"};
  auto child = Child::start(options);
  ASSERT_TRUE(child) << describe(child.error());
  wait(*child);
  EXPECT_EQ(read("out"), "0");
}

TEST_F(ChildTest, OurVariablesDoNotReachIt) {
  ::setenv("KVPSI_TRIM", "eager", 1);
  ::setenv("KVPSI_CACHE", "/cache", 1);
  auto child = Child::start(shell("echo \"[$KVPSI_TRIM][$KVPSI_CACHE]\""));
  ::unsetenv("KVPSI_TRIM");
  ::unsetenv("KVPSI_CACHE");
  ASSERT_TRUE(child);
  wait(*child);
  EXPECT_EQ(read("out"), "[][/cache]\n");
}

TEST_F(ChildTest, StopIsPoliteFirst) {
  auto polite = Child::start(shell("trap 'exit 0' TERM; while :; do sleep 0.05; done"));
  ASSERT_TRUE(polite);
  sleep_ms(200);
  EXPECT_TRUE(polite->stop(SIGTERM, 5000).is_ok());
  auto deaf = Child::start(shell("trap '' TERM; while :; do sleep 0.05; done"));
  ASSERT_TRUE(deaf);
  sleep_ms(200);
  EXPECT_EQ(deaf->stop(SIGTERM, 300).signal, SIGKILL);
}

TEST_F(ChildTest, IsKilledWithItsObject) {
  pid_t pid = 0;
  {
    auto child = Child::start(shell("exec sleep 60"));
    ASSERT_TRUE(child);
    pid = child->pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(ChildTest, FailedStartsSayWhere) {
  ChildOptions options = shell("true");
  options.executable = dir_ + "/none";
  EXPECT_EQ(Child::start(options).error().path, dir_ + "/none");
  options = shell("true");
  options.join_files = {dir_ + "/no-group/cgroup.procs"};
  EXPECT_EQ(Child::start(options).error().path, options.join_files[0]);
  options = shell("true");
  options.join_files = {"/dev/full"};
  const auto refused = Child::start(options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("control group"), std::string::npos);
  options = shell("true");
  options.stdout_path = dir_ + "/none/out";
  EXPECT_FALSE(Child::start(options));
}

}  // namespace
}  // namespace kvpsi
