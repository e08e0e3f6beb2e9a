// SPDX-License-Identifier: MIT
// What the rival laws are told of memory, and how a size becomes trims and budgets.
#include "sim/rival_common.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace kvpsi {
namespace {

Sample make_sample() {
  Sample sample;
  sample.mem_total_bytes = 1000 * kMiB;
  sample.mem_available_bytes = 400 * kMiB;
  return sample;
}

TEST(RivalMemory, IsTheMachinesLessMappedWeights) {
  Sample sample = make_sample();
  EXPECT_EQ(find_memory(sample)->free_bytes, 400 * kMiB);
  EXPECT_EQ(find_memory(sample)->total_bytes, 1000 * kMiB);
  sample.own_file_bytes = 30 * kMiB;
  sample.own_file_wanted_bytes = 100 * kMiB;
  EXPECT_EQ(find_memory(sample)->free_bytes, 300 * kMiB) << "the larger of the two";
}

TEST(RivalMemory, IsTheLimitsWhereThatIsTighter) {
  Sample sample = make_sample();
  sample.group_limit_bytes = 300 * kMiB;
  sample.group_usage_bytes = 280 * kMiB;
  sample.group_file_bytes = 40 * kMiB;
  EXPECT_EQ(find_memory(sample)->free_bytes, 60 * kMiB) << "page cache may go";
  EXPECT_EQ(find_memory(sample)->total_bytes, 300 * kMiB);
  sample.group_usage_bytes = 100 * kMiB;
  EXPECT_EQ(find_memory(sample)->total_bytes, 1000 * kMiB) << "40 % free against 80 %";
  sample.own_file_wanted_bytes = 500 * kMiB;
  EXPECT_LT(find_memory(sample)->free_bytes, 0) << "a deficit is a number, too";
  EXPECT_FALSE(find_memory(Sample{}).has_value());
}

TEST(RivalCache, TrimsWhatIsOverAndNeverBelowTheFloor) {
  const PoolView kv{.kind = PoolKind::kv,
                    .reserved_bytes = 200 * kMiB,
                    .live_bytes = 100 * kMiB,
                    .trimmable_bytes = 90 * kMiB,
                    .granule_bytes = kMiB};
  PolicyConfig config;
  config.trim_allowed = true;
  config.kv_min_bytes = 40 * kMiB;
  struct Row {
    std::uint64_t size;
    std::uint64_t trimmed;
  };
  for (const Row& row :
       {Row{200 * kMiB, 0}, Row{100 * kMiB - 1, 0}, Row{70 * kMiB, 30 * kMiB}, Row{0, 60 * kMiB}}) {
    RivalCache cache;
    Decision decision;
    cache.hold(kv, row.size, config, decision);
    ASSERT_EQ(decision.actions.size(), row.trimmed > 0 ? 1u : 0u) << row.size;
    EXPECT_FALSE(decision.kv_budget_bytes.has_value());
    if (row.trimmed > 0) EXPECT_EQ(decision.actions[0].bytes, row.trimmed);
  }
  config.trim_allowed = false;
  RivalCache cache;
  Decision bounded, whole;
  cache.hold(kv, 70 * kMiB, config, bounded);
  EXPECT_EQ(bounded.kv_budget_bytes, 70 * kMiB);
  EXPECT_TRUE(bounded.actions.empty());
  cache.hold(kv, 200 * kMiB, config, whole);
  EXPECT_FALSE(whole.kv_budget_bytes.has_value());
}

TEST(RivalCache, TheWholeCacheIsWhatIsReservedOrItsCap) {
  const PoolView kv{.kind = PoolKind::kv, .reserved_bytes = 200 * kMiB};
  PolicyConfig config;
  EXPECT_EQ(full_size(kv, config), 200 * kMiB);
  config.kv_max_bytes = 64 * kMiB;
  EXPECT_EQ(full_size(kv, config), 64 * kMiB);
  config.kv_max_bytes = 640 * kMiB;
  EXPECT_EQ(full_size(kv, config), 200 * kMiB);
}

}  // namespace
}  // namespace kvpsi
