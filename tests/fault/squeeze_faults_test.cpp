// SPDX-License-Identifier: MIT
// Random squeezes of the real program on the real kernel, with faults: nothing is lost, or it is
// lost by name. A few of them by default; KVPSI_SQUEEZES=200 runs as many, KVPSI_SQUEEZE_SEED=17
// begins with that one, and both together repeat it alone. See squeeze_plan.h.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

#include "squeeze_check.h"
#include "squeeze_run.h"
#include "support/spill_disk.h"

namespace kvpsi {
namespace {

using namespace test;

std::uint64_t number_or(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class SqueezeFaults : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer takes more memory than what is squeezed";
#endif
    if (!KVPSI_LLAMA) GTEST_SKIP() << "built without llama.cpp";
    if (!std::filesystem::exists(KVPSI_TEST_MODEL)) GTEST_SKIP() << "no model: " KVPSI_TEST_MODEL;
    if (!dir_.exists()) GTEST_SKIP() << "no directory on a disk with room for spilling";
    if (const std::string why = bench_.open(dir_.path()); !why.empty()) GTEST_SKIP() << why;
    const std::string why = bench_.why_no_small_disk();
    if (!why.empty()) std::printf("no small disk that fills up: %s\n", why.c_str());
  }

  /// What the workload says and takes when nobody disturbs it.
  const SqueezeOutcome& undisturbed(const Workload& workload) {
    const auto known = undisturbed_.find(workload.name);
    if (known != undisturbed_.end()) return known->second;
    SqueezePlan calm;
    calm.workload = &workload;
    return undisturbed_.emplace(workload.name, SqueezeRun(bench_, calm, 0).run()).first->second;
  }

  void squeeze(std::uint64_t seed) {
    const SqueezePlan plan = plan_squeeze(seed);
    SCOPED_TRACE("squeeze " + std::to_string(seed) + ": " + describe(plan) +
                 "\nrepeat with KVPSI_SQUEEZES=1 KVPSI_SQUEEZE_SEED=" + std::to_string(seed));
    const SqueezeOutcome& calm = undisturbed(*plan.workload);
    ASSERT_TRUE(calm.summary && calm.exit.is_ok()) << calm.exit.describe() << calm.words;
    const SqueezeOutcome outcome = SqueezeRun(bench_, plan, calm.peak_bytes).run();
    const Books before = totals_.books;
    SqueezeCheck(bench_, plan, *calm.summary, totals_).check(outcome);
    const Books& all = totals_.books;
    std::printf(
        "squeeze %lu: %s: %s after %.1f s, %lu trimmed + %lu spoiled = %lu restored + %lu anew + "
        "%lu lost + %ld on disk\n",
        seed, describe(plan).c_str(), outcome.exit.describe().c_str(), outcome.seconds,
        all.trimmed - before.trimmed, all.spoiled - before.spoiled, all.restored - before.restored,
        all.reevaluated - before.reevaluated, all.lost - before.lost, all.out() - before.out());
    std::fflush(stdout);
    if (HasFailure()) keep(seed);
  }

  /// The evidence stays where it can be looked at.
  void keep(std::uint64_t seed) {
    const std::string to = "/var/tmp/kvpsi-squeeze-" + std::to_string(seed);
    std::error_code ignored;
    std::filesystem::create_directory(to, ignored);
    for (const char* const name : {"run.json", "run.log", "journal.jsonl", "phases", "prompts"}) {
      std::filesystem::copy_file(dir_.path() + "/" + name, to + "/" + name,
                                 std::filesystem::copy_options::overwrite_existing, ignored);
    }
    std::printf("its files are in %s\n", to.c_str());
  }

  DiskDir dir_;
  SqueezeBench bench_;
  std::map<std::string_view, SqueezeOutcome> undisturbed_;
  SqueezeTotals totals_;
};

TEST_F(SqueezeFaults, NothingIsLostOrItIsLostByName) {
  // Few are of two workloads, as the undisturbed runs take their time too.
  constexpr std::uint64_t kFew = 4;
  constexpr std::uint64_t kFirstOfFew = 827;
  const std::uint64_t count = number_or("KVPSI_SQUEEZES", kFew);
  const std::uint64_t first = number_or("KVPSI_SQUEEZE_SEED", count == kFew ? kFirstOfFew : 1);
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const auto* const result = testing::UnitTest::GetInstance()->current_test_info()->result();
    const int before = result->total_part_count();
    squeeze(seed);
    failed += result->total_part_count() > before ? 1 : 0;
  }
  const Books& all = totals_.books;
  std::printf(
      "%lu squeezes, %lu failed; %lu killed as planned, %lu trimmed, %lu lost tokens; %lu + %lu "
      "tokens out of %lu conversations = %lu restored + %lu evaluated anew + %lu lost by name + "
      "%ld on disk; %lu texts equal\n",
      totals_.runs, failed, totals_.killed, totals_.trimming, totals_.losing, all.trimmed,
      all.spoiled, totals_.touched, all.restored, all.reevaluated, all.lost, all.out(),
      totals_.texts);
  if (count < 50) return;
  EXPECT_GT(totals_.trimming, count / 10) << "squeezes that squeeze nothing prove nothing";
  EXPECT_GT(all.restored, count);
  EXPECT_GT(all.reevaluated, 0U);
  EXPECT_GT(totals_.texts, count / 2);
}

}  // namespace
}  // namespace kvpsi
