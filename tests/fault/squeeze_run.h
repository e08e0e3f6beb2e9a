// SPDX-License-Identifier: MIT
// Carries a SqueezePlan out on the real kernel: `kvpsi run` and a neighbour, `kvpsi press`, in a
// limited group, the neighbour coming and going, the spill file failing and signals arriving as the
// plan says. Judges nothing. Next hop: squeeze_check.h.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/child.h"
#include "bench/group.h"
#include "bench/page_cache.h"
#include "bench/run_phase.h"
#include "linux/cgroup.h"
#include "linux/fd.h"
#include "squeeze_plan.h"
#include "support/real_mount.h"

namespace kvpsi::test {

using Json = nlohmann::json;

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What is left of one run.
struct SqueezeOutcome {
  ChildExit exit;
  std::optional<Json> summary;  ///< empty: stdout holds none
  std::string words;            ///< stderr
  std::string journal;          ///< path
  pid_t pid = 0;
  double seconds = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t oom_kills = 0;
  bool hung = false;                    ///< had to be killed by us
  std::vector<std::string> complaints;  ///< of group, neighbour or disk
};

/// What all squeezes share: a place for groups, a model of their own, a small disk.
class SqueezeBench {
 public:
  /// Empty, or why nothing can be squeezed here.
  std::string open(const std::string& dir) {
    dir_ = dir;
    const auto location = find_cgroup(CgroupRoots{});
    if (!location) return describe(location.error());
    auto home = GroupHome::find(*ops_, {location->v1_memory_dir, location->v2_dir}, "/proc");
    if (!home) return describe(home.error());
    home_.emplace(std::move(*home));
    if (auto probe = BenchGroup::create(*ops_, *home_, name_of("-probe")); !probe) {
      return describe(probe.error());
    }
    // Of a file that somebody else has mapped the pages are charged to that one's group.
    std::filesystem::copy_file(KVPSI_TEST_MODEL, model());
    std::filesystem::create_directory(dir_ + "/spill");
    disk_ = std::make_unique<RealMount>(dir_);
    has_small_disk_ = disk_->mount_ext4(160);
    return {};
  }

  std::string why_no_small_disk() const { return has_small_disk_ ? "" : disk_->why(); }
  std::string dir() const { return dir_; }
  std::string model() const { return dir_ + "/model.gguf"; }
  std::string small_disk() const { return disk_->path(); }
  std::string spill_dir(const SqueezePlan& plan) const {
    return plan.place == SpillPlace::small_disk && has_small_disk_ ? small_disk() : dir_ + "/spill";
  }
  std::string name_of(const std::string& suffix) const { return *group_name("/proc") + suffix; }
  Result<BenchGroup> make_group() { return BenchGroup::create(*ops_, *home_, name_of("-squeeze")); }
  bool is_group_left() const {
    const auto is_ours = [this](const std::string& home) {
      return !home.empty() && ops_->exists(home + "/" + name_of("-squeeze"));
    };
    return is_ours(home_->limit_dir()) || is_ours(home_->pressure_dir());
  }

 private:
  std::string dir_;
  std::unique_ptr<CgroupOps> ops_ = make_cgroup_ops();
  std::optional<GroupHome> home_;
  std::unique_ptr<RealMount> disk_;
  bool has_small_disk_ = false;
};

class SqueezeRun {
 public:
  /// `need_bytes`: what the undisturbed run took; 0: this is that one.
  SqueezeRun(SqueezeBench& bench, const SqueezePlan& plan, std::uint64_t need_bytes)
      : bench_(bench), plan_(plan), need_bytes_(need_bytes) {}

  SqueezeOutcome run() {
    std::filesystem::remove(path("phases"));
    std::ofstream(path("prompts")) << plan_.workload->conversations;
    if (auto dropped = drop_from_cache(bench_.model(), 20'000); !dropped) {
      out_.complaints.push_back(describe(dropped.error()));
    }
    auto group = bench_.make_group();
    if (!group) {
      out_.complaints.push_back(describe(group.error()));
      return std::move(out_);
    }
    group_.emplace(std::move(*group));
    if (need_bytes_ > 0) limit();
    const std::uint64_t begin_us = monotonic_us();
    start_engine();
    while (engine_ && !is_over(begin_us)) sleep_ms(10);
    out_.seconds = static_cast<double>(monotonic_us() - begin_us) / 1e6;
    end();
    return std::move(out_);
  }

 private:
  static constexpr double kMostSeconds = 100;

  std::string path(const char* what) const { return bench_.dir() + "/" + what; }

  /// Survivable: anonymous memory of both fits by far, it is mapped weights that do not.
  void limit() {
    const std::uint64_t bytes = need_bytes_ + (static_cast<std::uint64_t>(plan_.neighbour_mib) -
                                               static_cast<std::uint64_t>(plan_.short_mib)) *
                                                  kMiB;
    if (auto limited = group_->set_limit(bytes); !limited) {
      out_.complaints.push_back(describe(limited.error()));
    }
  }

  std::vector<std::string> words() const {
    std::vector<std::string> words = {"run",
                                      "--model",
                                      bench_.model(),
                                      "--prompts",
                                      path("prompts"),
                                      "--parallel",
                                      std::to_string(plan_.workload->seats),
                                      "--threads",
                                      "1",
                                      "--temp",
                                      "0",
                                      "--ignore-eos",
                                      "--json",
                                      "--quiet",
                                      "--phases",
                                      path("phases"),
                                      "--journal",
                                      path("journal.jsonl"),
                                      "--ctx-size",
                                      std::to_string(plan_.context),
                                      "--keep",
                                      "8",
                                      "--tail",
                                      "32",
                                      "--min-prune",
                                      "16",
                                      "--time-max",
                                      "15",
                                      plan_.workload->unified ? "--kv-unified" : "--no-kv-unified"};
    const auto add = [&words](std::initializer_list<std::string> more) {
      words.insert(words.end(), more);
    };
    if (need_bytes_ == 0) {
      add({"--trim", "off", "--spill-dir", "off"});
      return words;
    }
    add({"--trim", plan_.eager ? "eager" : "last-resort", "--linger-s",
         std::to_string(plan_.linger_s)});
    if (plan_.place == SpillPlace::nowhere) {
      add({"--spill-dir", "off"});
    } else {
      add({"--spill-dir", bench_.spill_dir(plan_)});
    }
    if (plan_.place == SpillPlace::little_budget) add({"--spill-max", "4MiB"});
    return words;
  }

  void start_engine() {
    ChildOptions options;
    options.executable = KVPSI_BINARY;
    options.arguments = words();
    options.join_files = group_->join_files(GroupPart::engine);
    options.stdout_path = path("run.json");
    options.stderr_path = path("run.log");
    const bool has_faults = need_bytes_ > 0 && !plan_.faults.empty();
    if (has_faults) {
      ::setenv("LD_PRELOAD", KVPSI_PRELOAD_DIR "/preload_spill_faults.so", 1);
      ::setenv("SPILL_FAULTS", plan_.faults.c_str(), 1);
    }
    auto engine = Child::start(options);
    ::unsetenv("LD_PRELOAD");
    ::unsetenv("SPILL_FAULTS");
    if (!engine) {
      out_.complaints.push_back(describe(engine.error()));
      return;
    }
    out_.pid = engine->pid();
    engine_.emplace(std::move(*engine));
  }

  bool is_over(std::uint64_t begin_us) {
    if (engine_->poll()) return true;
    const std::uint64_t now_us = monotonic_us();
    out_.hung = static_cast<double>(now_us - begin_us) / 1e6 > kMostSeconds;
    if (out_.hung) return true;
    if (need_bytes_ == 0) return false;
    if (start_us_ == 0) {
      const auto phase = plan_.before_decoding ? RunPhase::prefill : RunPhase::decode;
      if (!has_begun(read_text(path("phases")), phase)) return false;
      start_us_ = now_us;
    }
    drive(static_cast<double>(now_us - start_us_) / 1e6);
    return false;
  }

  void drive(double now_s) {
    while (signals_ < plan_.signals.size() && plan_.signals[signals_].after_s <= now_s) {
      engine_->send(plan_.signals[signals_++].number);
    }
    if (neighbour_ && now_s >= leaves_s_) end_neighbour();
    if (!neighbour_ && visits_ < plan_.visits.size() && now_s >= plan_.visits[visits_].after_s) {
      leaves_s_ = now_s + plan_.visits[visits_++].stay_s;
      start_neighbour();
    }
    if (plan_.disk_fills_after_s >= 0 && now_s >= plan_.disk_fills_after_s && !is_full_)
      fill_disk();
  }

  void start_neighbour() {
    ChildOptions options;
    options.executable = KVPSI_BINARY;
    options.arguments = {"press",   "--mib",  std::to_string(plan_.neighbour_mib), "--for", "60",
                         "--force", "--quiet"};
    options.join_files = group_->join_files(GroupPart::neighbour);
    options.stderr_path = path("press.log");
    auto started = Child::start(options);
    if (started) {
      neighbour_.emplace(std::move(*started));
    } else {
      out_.complaints.push_back(describe(started.error()));
    }
  }

  void end_neighbour() {
    const ChildExit exit = neighbour_->stop(SIGTERM, 20'000);
    if (!exit.is_ok()) {
      out_.complaints.push_back("the neighbour ended with " + exit.describe() + ": " +
                                read_text(path("press.log")));
    }
    neighbour_.reset();
  }

  /// Somebody else takes all that is left of the small disk.
  void fill_disk() {
    is_full_ = true;
    if (!bench_.why_no_small_disk().empty()) return;
    const std::string ballast = bench_.small_disk() + "/ballast";
    const UniqueFd file(::open(ballast.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    struct statvfs status{};
    if (!file.is_open() || ::statvfs(ballast.c_str(), &status) != 0) return;
    for (auto bytes = static_cast<off_t>(status.f_bavail * status.f_frsize); bytes > 4096;) {
      if (::posix_fallocate(file.get(), 0, bytes) == 0) return;
      bytes = bytes * 15 / 16;
    }
  }

  void end() {
    if (engine_) {
      out_.exit = out_.hung ? engine_->stop(SIGKILL, 0) : *engine_->poll();
      engine_.reset();
    }
    if (neighbour_) end_neighbour();
    out_.peak_bytes = group_->peak_bytes();
    out_.oom_kills = group_->oom_kills();
    if (auto destroyed = group_->destroy(); !destroyed) {
      out_.complaints.push_back(describe(destroyed.error()));
    }
    if (is_full_) std::filesystem::remove(bench_.small_disk() + "/ballast");
    out_.words = read_text(path("run.log"));
    out_.journal = path("journal.jsonl");
    Json summary = Json::parse(read_text(path("run.json")), nullptr, false);
    if (!summary.is_discarded()) out_.summary = std::move(summary);
  }

  SqueezeBench& bench_;
  const SqueezePlan& plan_;
  const std::uint64_t need_bytes_;
  SqueezeOutcome out_;
  std::uint64_t start_us_ = 0;
  std::size_t signals_ = 0;
  std::size_t visits_ = 0;
  double leaves_s_ = 0;
  bool is_full_ = false;
  // The processes go before the group that they are in: members are destroyed backwards.
  std::optional<BenchGroup> group_;
  std::optional<Child> neighbour_;
  std::optional<Child> engine_;
};

}  // namespace kvpsi::test
