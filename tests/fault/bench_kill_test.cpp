// SPDX-License-Identifier: MIT
// A bench that is killed with SIGKILL leaves no process behind, and the next start removes its
// groups together with whatever escaped into them. Done for real, in the groups of this machine.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>

#include "bench/cgroup_ops.h"
#include "bench/child.h"
#include "bench/group.h"
#include "bench/group_home.h"
#include "linux/cgroup.h"

namespace kvpsi {
namespace {

bool wait_until(unsigned most_ms, const std::function<bool()>& holds) {
  for (unsigned waited = 0; waited < most_ms; waited += 50) {
    if (holds()) return true;
    sleep_ms(50);
  }
  return holds();
}

/// A dead process stays as a zombie until whoever inherited it finds the time: that may be a busy
/// process 1, or one that never looks.
bool is_running(CgroupOps& ops, pid_t pid) {
  const auto stat = ops.read("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return false;
  const auto bracket = stat->rfind(')');  // the name before it may hold anything
  if (bracket == std::string::npos || bracket + 2 >= stat->size()) return false;
  const char state = (*stat)[bracket + 2];
  return state != 'Z' && state != 'X';
}

class BenchKill : public testing::Test {
 protected:
  void SetUp() override {
    const auto location = find_cgroup(CgroupRoots{});
    ASSERT_TRUE(location) << describe(location.error());
    own_ = {location->v1_memory_dir, location->v2_dir};
    const auto home = GroupHome::find(*ops_, own_, "/proc");
    if (!home) GTEST_SKIP() << describe(home.error());
    const auto probe = BenchGroup::create(*ops_, *home, *group_name("/proc") + "-probe");
    if (!probe) GTEST_SKIP() << describe(probe.error());
    limit_home_ = home->limit_dir();
    pressure_home_ = home->pressure_dir();
    char name[] = "/var/tmp/kvpsi-kill-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    dir_ = name;
  }
  void TearDown() override {
    if (!dir_.empty()) std::filesystem::remove_all(dir_);
  }

  /// Groups that belong to the process `pid`, in both hierarchies.
  std::vector<std::string> groups_of(pid_t pid) {
    std::vector<std::string> dirs;
    const std::string prefix = "kvpsi-bench-" + std::to_string(pid) + "-";
    for (const auto& home : {limit_home_, pressure_home_}) {
      if (home.empty() || (!dirs.empty() && home == limit_home_)) continue;
      for (const auto& name : ops_->list_dirs(home)) {
        if (name.starts_with(prefix)) dirs.push_back(home + "/" + name);
      }
    }
    return dirs;
  }

  std::vector<pid_t> pids_in(const std::string& dir) {
    std::vector<pid_t> pids = read_pids(*ops_, dir);
    for (const auto& child : ops_->list_dirs(dir)) {
      const auto below = read_pids(*ops_, dir + "/" + child);
      pids.insert(pids.end(), below.begin(), below.end());
    }
    return pids;
  }

  /// The next start removes these, whatever else it finds.
  void expect_swept(const std::vector<std::string>& groups) {
    const auto removed = sweep_dead_groups(*ops_, own_);
    for (const std::string& group : groups) {
      EXPECT_NE(std::ranges::find(removed, group), removed.end()) << group;
    }
  }

  /// A process that does what a bench does: a group, two children in it; then it waits for its end.
  /// The neighbour is a shell whose grandchild has no death signal: it survives the kill.
  pid_t start_bench_like() {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    const auto ops = make_cgroup_ops();
    const auto home = GroupHome::find(*ops, own_, "/proc");
    auto group = BenchGroup::create(*ops, *home, *group_name("/proc"));
    if (!group) ::_exit(1);
    ChildOptions engine;
    engine.executable = KVPSI_BINARY;
    engine.arguments = {"press", "--mib", "8", "--for", "120"};
    engine.join_files = group->join_files(GroupPart::engine);
    auto pressing = Child::start(engine);
    ChildOptions neighbour;
    neighbour.executable = "/bin/sh";
    neighbour.arguments = {"-c", "sleep 120 & wait"};
    neighbour.join_files = group->join_files(GroupPart::neighbour);
    auto shell = Child::start(neighbour);
    if (!pressing || !shell) ::_exit(1);
    while (true) ::pause();
  }

  std::unique_ptr<CgroupOps> ops_ = make_cgroup_ops();
  OwnGroups own_;
  std::string limit_home_;
  std::string pressure_home_;
  std::string dir_;
};

TEST_F(BenchKill, ChildrenDieWithItAndTheNextStartCleansUp) {
  if (!std::filesystem::exists(KVPSI_BINARY)) GTEST_SKIP() << "kvpsi is not built";
  const pid_t bench = start_bench_like();
  ASSERT_TRUE(wait_until(10'000, [&] {
    const auto groups = groups_of(bench);
    return !groups.empty() && pids_in(groups.front()).size() >= 3;
  })) << "press, shell and sleep never arrived in the group";
  const auto groups = groups_of(bench);
  EXPECT_EQ(groups.size(), pressure_home_.empty() || pressure_home_ == limit_home_ ? 1U : 2U);

  // As long as it lives, nobody touches its groups. Others may have left some, which go.
  static_cast<void>(sweep_dead_groups(*ops_, own_));
  EXPECT_EQ(groups_of(bench), groups);
  EXPECT_GE(pids_in(groups.front()).size(), 3U);

  ::kill(bench, SIGKILL);
  ::waitpid(bench, nullptr, 0);
  EXPECT_TRUE(wait_until(20'000, [&] { return pids_in(groups.front()).size() <= 1; }))
      << "press and shell have the death signal";
  const auto escaped = pids_in(groups.front());
  ASSERT_EQ(escaped.size(), 1U) << "the grandchild is what cleaning up is for";

  expect_swept(groups);
  EXPECT_TRUE(groups_of(bench).empty());
  EXPECT_TRUE(wait_until(10'000, [&] { return !is_running(*ops_, escaped.front()); }));
}

TEST_F(BenchKill, PressDiesWithItsParent) {
  if (!std::filesystem::exists(KVPSI_BINARY)) GTEST_SKIP() << "kvpsi is not built";
  // The shell writes the presser's pid and then is killed; nothing else ends the presser.
  ChildOptions options;
  options.executable = "/bin/sh";
  options.arguments = {
      "-c", std::string("'") + KVPSI_BINARY + "' press --mib 8 --for 120 & echo $!; wait"};
  options.stdout_path = dir_ + "/pid";
  auto shell = Child::start(options);
  ASSERT_TRUE(shell);
  pid_t press = 0;
  ASSERT_TRUE(wait_until(5'000, [&] {
    const auto text = ops_->read(dir_ + "/pid");
    press = text && !text->empty() ? static_cast<pid_t>(std::atoi(text->c_str())) : 0;
    return press > 0;
  }));
  ASSERT_TRUE(wait_until(20'000, [&] {
    return ops_->read(dir_ + "/pid").value_or("").find("pressing") != std::string::npos;
  })) << "it never got past its prctl";
  EXPECT_TRUE(is_running(*ops_, press));
  shell->stop(SIGKILL, 0);
  EXPECT_TRUE(wait_until(20'000, [&] { return !is_running(*ops_, press); }));
}

TEST_F(BenchKill, ARealBenchLeavesNothingThatTheNextStartDoesNotClean) {
  if (!KVPSI_LLAMA) GTEST_SKIP() << "built without llama.cpp";
  if (!std::filesystem::exists(KVPSI_TEST_MODEL)) GTEST_SKIP() << "no model: " KVPSI_TEST_MODEL;
  // A copy, since a bench waits while somebody else maps its model.
  std::filesystem::copy_file(KVPSI_TEST_MODEL, dir_ + "/model.gguf");
  ChildOptions options;
  options.executable = KVPSI_BINARY;
  options.arguments = {"bench",    "--model", dir_ + "/model.gguf", "--squeeze",  "S1",
                       "--trials", "1",       "--out-dir",          dir_ + "/out"};
  options.stderr_path = dir_ + "/err";
  auto bench = Child::start(options);
  ASSERT_TRUE(bench);
  const pid_t pid = bench->pid();
  ASSERT_TRUE(wait_until(90'000,
                         [&] {
                           const auto groups = groups_of(pid);
                           return !groups.empty() && pids_in(groups.front()).size() >= 2;
                         }))
      << "neighbour and engine never ran: " << ops_->read(dir_ + "/err").value_or("");
  const auto groups = groups_of(pid);
  bench->stop(SIGKILL, 0);
  EXPECT_TRUE(wait_until(10'000, [&] { return pids_in(groups.front()).empty(); }));
  expect_swept(groups);
  EXPECT_TRUE(groups_of(pid).empty());
}

TEST_F(BenchKill, ATerminatedBenchCleansUpByItself) {
  if (!KVPSI_LLAMA) GTEST_SKIP() << "built without llama.cpp";
  if (!std::filesystem::exists(KVPSI_TEST_MODEL)) GTEST_SKIP() << "no model: " KVPSI_TEST_MODEL;
  std::filesystem::copy_file(KVPSI_TEST_MODEL, dir_ + "/model.gguf");
  ChildOptions options;
  options.executable = KVPSI_BINARY;
  options.arguments = {"bench",    "--model", dir_ + "/model.gguf", "--squeeze",  "S1",
                       "--trials", "1",       "--out-dir",          dir_ + "/out"};
  auto bench = Child::start(options);
  ASSERT_TRUE(bench);
  const pid_t pid = bench->pid();
  ASSERT_TRUE(wait_until(90'000, [&] { return !groups_of(pid).empty(); }));
  sleep_ms(1500);
  const ChildExit exit = bench->stop(SIGINT, 30'000);
  EXPECT_EQ(exit.signal, 0) << "it ended by itself";
  EXPECT_EQ(exit.code, 1) << "interrupted before there was a result";
  EXPECT_TRUE(groups_of(pid).empty());
}

}  // namespace
}  // namespace kvpsi
