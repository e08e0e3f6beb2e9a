// SPDX-License-Identifier: MIT
// What a server answers before a governor runs, and with one that never sees pressure.
#include "cli/cmd_serve_http.h"

#include <gtest/gtest.h>

#include <thread>

namespace kvpsi {
namespace {

ServerSnapshot facts() {
  ServerSnapshot facts;
  facts.model = "m.gguf";
  facts.pid = 7;
  return facts;
}

TEST(ServeHttp, AdmitsAndCountsWithoutAGovernor) {
  ServeHttp http(facts(), /*admission=*/true, /*wait_us=*/0);
  EXPECT_TRUE(http.begin_work("{}").has_value());
  EXPECT_TRUE(http.begin_work("{}").has_value());
  http.end_work(/*is_reduced=*/true);
  http.set_not_governed({"V cache"});
  const ServerSnapshot now = http.snapshot();
  EXPECT_EQ(now.requests.running, 1u);
  EXPECT_EQ(now.requests.admitted, 2u);
  EXPECT_EQ(now.requests.refused_total(), 0u);
  EXPECT_EQ(now.model, "m.gguf");
  EXPECT_EQ(now.not_governed, std::vector<std::string>{"V cache"});
  EXPECT_FALSE(now.is_governed);
  EXPECT_FALSE(now.tick.has_value());
  EXPECT_TRUE(now.admission.admits());
  EXPECT_FALSE(http.give_back());
  EXPECT_FALSE(http.set_paused(true));
}

TEST(ServeHttp, ShowsTurnsAndTakesOrdersWithOne) {
  const auto governor = GovernorThread::open({});
  ASSERT_TRUE(governor.has_value());
  ServeHttp http(facts(), true, 0);
  (*governor)->start({}, 0);
  http.set_governor(governor->get());
  for (int i = 0; i < 500 && !http.snapshot().tick; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const ServerSnapshot now = http.snapshot();
  ASSERT_TRUE(now.tick.has_value());
  EXPECT_TRUE(now.is_governed);
  EXPECT_TRUE(http.give_back());
  EXPECT_TRUE(http.set_paused(true));
  EXPECT_TRUE(http.set_paused(true));
  EXPECT_TRUE((*governor)->governor()->paused());
  EXPECT_TRUE(http.set_paused(false));
  EXPECT_FALSE((*governor)->governor()->paused());
  http.set_governor(nullptr);
}

}  // namespace
}  // namespace kvpsi
