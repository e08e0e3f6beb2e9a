// SPDX-License-Identifier: MIT
// Constants that contradict themselves, and which configuration is in force when.
#include "policy/check_config.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "policy/config_timeline.h"

namespace kvpsi {
namespace {

template <class Change>
std::string complaint_about(Change&& change) {
  PolicyConfig config;
  change(config);
  const auto complaint = check_policy_config(config);
  return complaint.value_or("");
}

TEST(CheckConfig, DefaultsMakeSense) {
  EXPECT_FALSE(check_policy_config({}));
  EXPECT_EQ(complaint_about([](PolicyConfig& c) { c.kv_min_bytes = kGiB; }), "") << "no cap is set";
}

TEST(CheckConfig, SaysWhichConstantAndWhy) {
  EXPECT_EQ(complaint_about([](PolicyConfig& c) { c.reserve_low_bytes = 600 * kMiB; }),
            "reserve_low_bytes (629145600) must not be above reserve_high_bytes (536870912)");
  EXPECT_EQ(complaint_about([](PolicyConfig& c) { c.leave_high_some = 0.2; }),
            "leave_high_some (0.2) must not be above high_some (0.1)");
  EXPECT_EQ(complaint_about([](PolicyConfig& c) { c.high_some = 1.5; }),
            "high_some (1.5) must be a share from 0 to 1");
  EXPECT_EQ(complaint_about([](PolicyConfig& c) { c.bad_share = -0.1; }).substr(0, 29),
            "bad_share (-0.1) must be from");
  EXPECT_EQ(complaint_about([](PolicyConfig& c) { c.fast_window_us = 0; }),
            "fast_window_us (0) must be more than 0");
  EXPECT_EQ(complaint_about([](PolicyConfig& c) { c.fast_window_us = 20'000'000; }),
            "fast_window_us (20000000) must not be above slow_window_us (10000000)");
  EXPECT_EQ(complaint_about([](PolicyConfig& c) { c.kv_min_bytes = 2, c.kv_max_bytes = 1; }),
            "kv_min_bytes (2) must not be above kv_max_bytes (1)");
  EXPECT_NE(complaint_about([](PolicyConfig& c) { c.dwell_us = ~std::uint64_t{0}; }), "");
}

TEST(CheckConfig, EveryTimeOfADefaultMayBeHalved) {
  PolicyConfig config;
  visit_fields(
      [](const Field& field, auto& value) {
        if constexpr (std::is_same_v<decltype(value), std::uint64_t&>) {
          if (field.unit == "us") value /= 2;
        }
      },
      config);
  EXPECT_FALSE(check_policy_config(config));
}

TEST(ConfigTimeline, KnowsWhatIsInForce) {
  PolicyConfig second;
  second.trim_allowed = true;
  ConfigTimeline timeline;
  EXPECT_EQ(timeline.at(0), nullptr);
  timeline.begin_at(2, {});
  timeline.begin_at(5, {});
  timeline.begin_at(5, second);
  EXPECT_EQ(timeline.at(1), nullptr);
  EXPECT_EQ(*timeline.at(2), PolicyConfig{});
  EXPECT_EQ(*timeline.at(4), PolicyConfig{});
  EXPECT_EQ(*timeline.at(5), second);
  EXPECT_EQ(*timeline.at(500), second);
  EXPECT_EQ(timeline.changes().size(), 2u) << "two before the same tick: the last counts";
}

}  // namespace
}  // namespace kvpsi
