// SPDX-License-Identifier: MIT
// The preflight on machines as fixtures: each kind of cgroup, PSI absent, limits, huge pages, swap,
// models; and on this machine.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "report/doctor_findings.h"
#include "report/doctor_text.h"
#include "support/gguf_builder.h"
#include "unit/report/fixture_machine.h"

namespace kvpsi {
namespace {

using test::FixtureMachine;
using test::small_llama;

Finding find(const std::vector<Finding>& findings, std::string_view id) {
  const auto found = std::ranges::find(findings, id, &Finding::id);
  return found == findings.end() ? Finding{} : *found;
}

std::vector<Finding> examine(const FixtureMachine& machine) {
  return judge_machine(observe_machine(machine.options()));
}

/// A house rule of the findings: what asks for something says how.
void expect_commands(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    const bool asks = finding.weight == Weight::advice || finding.weight == Weight::missing;
    EXPECT_EQ(asks, !finding.fix.empty()) << finding.id;
    EXPECT_EQ(finding.fix.find('\n'), std::string::npos) << finding.id;
    EXPECT_FALSE(finding.what.empty()) << finding.id;
  }
}

TEST(Doctor, OrdinaryV2MachineIsReady) {
  FixtureMachine machine;
  const auto findings = examine(machine);
  expect_commands(findings);
  EXPECT_TRUE(can_govern(findings));
  EXPECT_EQ(find(findings, "psi").weight, Weight::good);
  EXPECT_NE(find(findings, "psi").what.find("app/memory.pressure"), std::string::npos);
  EXPECT_EQ(find(findings, "cgroup").weight, Weight::good);
  EXPECT_EQ(find(findings, "limit").weight, Weight::good);
  EXPECT_EQ(find(findings, "release").weight, Weight::good) << find(findings, "release").what;
}

TEST(Doctor, AbsentPsiIsMissingAndNamesTheBootOption) {
  FixtureMachine machine;
  machine.remove("proc/pressure");
  machine.remove("cgroup/app/memory.pressure");
  const auto findings = examine(machine);
  expect_commands(findings);
  EXPECT_FALSE(can_govern(findings));
  EXPECT_EQ(find(findings, "psi").weight, Weight::missing);
  EXPECT_NE(find(findings, "psi").fix.find("psi=1"), std::string::npos);
}

TEST(Doctor, BootAdviceFitsTheMachinesTool) {
  FixtureMachine machine;
  machine.remove("proc/pressure");
  machine.remove("cgroup/app/memory.pressure");
  machine.write("root/boot/firmware/cmdline.txt", "console=tty1\n");
  EXPECT_NE(find(examine(machine), "psi").fix.find("/boot/firmware/cmdline.txt"),
            std::string::npos);
  machine.write("root/usr/sbin/update-grub", "");
  EXPECT_NE(find(examine(machine), "psi").fix.find("update-grub"), std::string::npos);
  machine.write("root/usr/sbin/grubby", "");
  EXPECT_NE(find(examine(machine), "psi").fix.find("grubby"), std::string::npos);
}

TEST(Doctor, CgroupV1HasNoPressureOfItsOwn) {
  FixtureMachine machine;
  machine.use_v1();
  const auto findings = examine(machine);
  expect_commands(findings);
  EXPECT_TRUE(can_govern(findings));
  EXPECT_EQ(find(findings, "psi").weight, Weight::note);
  EXPECT_EQ(find(findings, "cgroup").weight, Weight::advice);
  EXPECT_NE(find(findings, "cgroup").what.find("v1"), std::string::npos);
}

TEST(Doctor, HybridTakesPressureFromV2AndLimitsFromV1) {
  FixtureMachine machine;
  machine.use_hybrid();
  machine.write("cgroup/memory/app/memory.limit_in_bytes", "500000000\n");
  const auto findings = examine(machine);
  EXPECT_NE(find(findings, "psi").what.find("unified/app"), std::string::npos);
  EXPECT_NE(find(findings, "cgroup").what.find("hybrid"), std::string::npos);
  EXPECT_NE(find(findings, "limit").what.find("memory/app"), std::string::npos);
}

TEST(Doctor, NoCgroupAtAllIsNothingToFix) {
  FixtureMachine machine;
  machine.write("proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
  machine.write("proc/self/cgroup", "");
  const auto findings = examine(machine);
  EXPECT_EQ(find(findings, "cgroup").weight, Weight::note);
  EXPECT_TRUE(can_govern(findings));
}

TEST(Doctor, TightLimitNamesTheFileToRaise) {
  FixtureMachine machine;
  machine.write("cgroup/app/memory.max", "30000000\n");
  const Finding limit = find(examine(machine), "limit");
  EXPECT_EQ(limit.weight, Weight::advice);
  EXPECT_NE(limit.fix.find("app/memory.max"), std::string::npos);
}

TEST(Doctor, HugePagesForEverybodyAreAdvice) {
  FixtureMachine machine;
  machine.write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
  const Finding thp = find(examine(machine), "thp");
  EXPECT_EQ(thp.weight, Weight::advice);
  EXPECT_EQ(thp.fix, "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
}

TEST(Doctor, NoSwapAndZramAreNothingToFix) {
  FixtureMachine machine;
  EXPECT_EQ(find(examine(machine), "swap").weight, Weight::note);
  machine.write("proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 1024 0 5\n");
  const Finding zram = find(examine(machine), "swap");
  EXPECT_EQ(zram.weight, Weight::note);
  EXPECT_NE(zram.what.find("zram"), std::string::npos);
  machine.write("proc/swaps", "Filename Type Size Used Priority\n/swapfile file 1048576 0 -2\n");
  EXPECT_EQ(find(examine(machine), "swap").what, "1.00 GiB of swap");
}

TEST(Doctor, MachineWithoutMeminfoIsNotReady) {
  FixtureMachine machine;
  machine.remove("proc/meminfo");
  const auto findings = examine(machine);
  expect_commands(findings);
  EXPECT_EQ(find(findings, "memory").weight, Weight::missing);
}

TEST(Doctor, AbsentGnuplotAndUnwritableFolderAreAdvice) {
  FixtureMachine machine;
  DoctorOptions options = machine.options();
  options.work_dir = machine.path("no-such-folder");
  const auto findings = judge_machine(observe_machine(options));
  EXPECT_EQ(find(findings, "gnuplot").fix, "sudo apt-get install gnuplot-nox");
  EXPECT_EQ(find(findings, "folder").weight, Weight::advice);
}

TEST(Doctor, FolderInMemoryIsAdvice) {
  DoctorFacts facts;
  facts.folder = {"/dev/shm", 8 * kGiB, true, true};
  EXPECT_NE(find(judge_machine(facts), "folder").what.find("tmpfs"), std::string::npos);
}

TEST(Doctor, PagesThatDoNotComeBackAreMissing) {
  DoctorFacts facts;
  facts.small_pages = ScratchProof{.resident_before_bytes = 8 * kMiB, .ok = false};
  EXPECT_EQ(find(judge_machine(facts), "release").weight, Weight::missing);
  facts.small_pages = fail(ErrorCode::permission, "cannot open the page map", "/proc/self/pagemap");
  EXPECT_EQ(find(judge_machine(facts), "release").weight, Weight::missing);
}

TEST(Doctor, GroupsThatCannotBeMadeAreAdvice) {
  DoctorFacts facts;
  facts.groups = fail(ErrorCode::unsupported, "no group here is writable");
  const Finding groups = find(judge_machine(facts), "groups");
  EXPECT_EQ(groups.weight, Weight::advice);
  EXPECT_NE(groups.fix.find("--scope system"), std::string::npos);
}

class DoctorModel : public ::testing::Test {
 protected:
  std::vector<Finding> examine_model(const std::string& bytes) {
    machine_.write("model.gguf", bytes);
    DoctorOptions options = machine_.options();
    options.model = machine_.path("model.gguf");
    return judge_machine(observe_machine(options));
  }
  FixtureMachine machine_;
};

TEST_F(DoctorModel, MappedWeightsStayFileBacked) {
  const auto findings = examine_model(small_llama(3, 64 * 64 / 32 * 20).build_file());
  expect_commands(findings);
  EXPECT_EQ(find(findings, "model").weight, Weight::good);
  EXPECT_EQ(find(findings, "weights").weight, Weight::good);
  EXPECT_EQ(find(findings, "room").weight, Weight::good);
  EXPECT_NE(find(findings, "kv").what.find("1.50 KiB a token"), std::string::npos)
      << find(findings, "kv").what;
}

TEST_F(DoctorModel, RepackedWeightsAreAnonymousWithAvx2Only) {
  const std::string model = small_llama(2, 64 * 64 / 32 * 18).build_file();
  EXPECT_EQ(find(examine_model(model), "weights").weight, Weight::advice);
  machine_.write("proc/cpuinfo", "flags : fpu sse\n");
  EXPECT_EQ(find(examine_model(model), "weights").weight, Weight::good);
}

TEST_F(DoctorModel, GarbledAndCutModelsAreMissingWithTheReason) {
  EXPECT_NE(find(examine_model("not a model"), "model").what.find("not a GGUF file"),
            std::string::npos);
  const std::string whole = small_llama(3, 64 * 64 / 32 * 20).build_file();
  const auto findings = examine_model(whole.substr(0, whole.size() - 100));
  expect_commands(findings);
  EXPECT_NE(find(findings, "model").what.find("truncated"), std::string::npos);
  EXPECT_FALSE(can_govern(findings));
}

TEST_F(DoctorModel, AbsentModelIsMissing) {
  DoctorOptions options = machine_.options();
  options.model = machine_.path("none.gguf");
  const auto findings = judge_machine(observe_machine(options));
  EXPECT_EQ(find(findings, "model").weight, Weight::missing);
}

TEST_F(DoctorModel, LimitBelowTheProgramIsMissing) {
  machine_.write("cgroup/app/memory.max", "20000000\n");
  const auto findings = examine_model(small_llama(3, 64 * 64 / 32 * 20).build_file());
  expect_commands(findings);
  EXPECT_EQ(find(findings, "room").weight, Weight::missing);
  EXPECT_NE(find(findings, "room").fix.find("app/memory.max"), std::string::npos);
}

TEST_F(DoctorModel, LimitBelowTheWholeContextIsWhereGoverningPays) {
  machine_.write("cgroup/app/memory.max", "40000000\n");
  const auto findings = examine_model(small_llama(3, 64 * 64 / 32 * 20).build_file());
  EXPECT_EQ(find(findings, "room").weight, Weight::note);
}

TEST_F(DoctorModel, ContextBeyondTheModelIsAdvice) {
  machine_.write("model.gguf", small_llama(3, 64 * 64 / 32 * 20).build_file());
  DoctorOptions options = machine_.options();
  options.model = machine_.path("model.gguf");
  options.n_ctx = 9000;
  const auto findings = judge_machine(observe_machine(options));
  EXPECT_EQ(find(findings, "kv").weight, Weight::advice);
}

TEST(DoctorText, ThreeOutcomesInWords) {
  EXPECT_NE(render_findings({{"a", Weight::good, "fine", ""}}).find("Ready: nothing to fix here."),
            std::string::npos);
  EXPECT_NE(render_findings({{"a", Weight::advice, "slow", "do it"}})
                .find("Ready, with 1 piece of advice."),
            std::string::npos);
  EXPECT_NE(render_findings({{"a", Weight::missing, "gone", "bring it"}}).find("Not ready"),
            std::string::npos);
}

TEST(DoctorText, QuietLeavesOutWhatIsGood) {
  const std::string text =
      render_findings({{"a", Weight::good, "fine", ""}, {"b", Weight::note, "so it is", ""}},
                      {.columns = 0, .colour = false, .only_open = true});
  EXPECT_EQ(text.find("fine"), std::string::npos);
  EXPECT_NE(text.find("so it is; nothing to fix here"), std::string::npos);
}

TEST(DoctorText, JsonCarriesAllFindings) {
  const auto json = nlohmann::json::parse(
      doctor_json({{"a", Weight::good, "fine", ""}, {"b", Weight::missing, "gone", "bring it"}}));
  EXPECT_EQ(json["schema"], "kvpsi.doctor/1");
  EXPECT_EQ(json["ok"], false);
  EXPECT_TRUE(json["findings"][0]["fix"].is_null());
  EXPECT_EQ(json["findings"][1]["fix"], "bring it");
}

TEST(DoctorFacts, CpuVectorsAndSwapsParseWhatIsThere) {
  EXPECT_FALSE(parse_cpu_vectors("").avx2);
  EXPECT_TRUE(parse_cpu_vectors("a : b\nflags\t: x avx2 avx512f\n").avx512);
  EXPECT_FALSE(parse_cpu_vectors("flags : avx2x\n").avx2);
  EXPECT_TRUE(parse_swaps("").empty());
  EXPECT_TRUE(parse_swaps("Filename Type Size\n/dev/sda2 partition many\n").empty());
}

TEST(DoctorFacts, ThisMachineAnswersAndLeavesNoGroup) {
  DoctorOptions options;
  options.search_path = "/usr/bin:/bin";
  const DoctorFacts facts = observe_machine(options);
  const auto findings = judge_machine(facts);
  expect_commands(findings);
  EXPECT_EQ(find(findings, "memory").weight, Weight::good);
  const CgroupLocation& location = facts.source.location;
  for (const std::string& dir : {location.v1_memory_dir, location.v2_dir}) {
    if (dir.empty()) continue;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      const std::string own = "kvpsi-bench-" + std::to_string(::getpid()) + "-";
      EXPECT_FALSE(entry.path().filename().string().starts_with(own)) << entry.path();
    }
  }
}

}  // namespace
}  // namespace kvpsi
