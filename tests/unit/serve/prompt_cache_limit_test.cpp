// SPDX-License-Identifier: MIT
// The prompt cache's bound follows the file, the limit or the machine, whichever binds.
#include "serve/prompt_cache_limit.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace kvpsi {
namespace {

Sample machine(std::uint64_t total, std::optional<std::uint64_t> limit = {}) {
  Sample sample;
  sample.mem_total_bytes = total;
  sample.group_limit_bytes = limit;
  return sample;
}

TEST(PromptCacheLimit, FollowsWhatBinds) {
  EXPECT_EQ(choose_prompt_cache_mib(1 * kGiB, machine(16 * kGiB)), 512u);
  EXPECT_EQ(choose_prompt_cache_mib(100 * kGiB, machine(16 * kGiB)), 8192u);
  EXPECT_EQ(choose_prompt_cache_mib(0, machine(16 * kGiB)), 1024u);
  EXPECT_EQ(choose_prompt_cache_mib(0, machine(16 * kGiB, 512 * kMiB)), 32u);
  EXPECT_EQ(choose_prompt_cache_mib(0, machine(16 * kGiB, 8 * kMiB)), 16u);
  EXPECT_EQ(choose_prompt_cache_mib(0, machine(16 * kGiB, std::uint64_t{1} << 62)), 1024u);
  EXPECT_EQ(choose_prompt_cache_mib(0, Sample{}), 8192u);
}

}  // namespace
}  // namespace kvpsi
