// SPDX-License-Identifier: MIT
// The gate: who may not start waits in the order of arrival, leaves it when its time or its client
// is over, and nobody is counted twice or forgotten.
#include "serve/gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace kvpsi {
namespace {

constexpr std::uint64_t kLongUs = 60'000'000;
constexpr auto kMoment = std::chrono::milliseconds(2);

/// One at a time while memory is short.
struct Memory {
  std::atomic<bool> is_short{true};
  Gate::Judge judge() {
    return [this](const Workload& work) -> Admission {
      if (!is_short) return {};
      if (work.waiting > 0) return {Refusal::turn, 2};
      if (work.running > 0) return {Refusal::high, 2};
      return {};
    };
  }
};

void wait_for_line(const Gate& gate, std::uint64_t length) {
  while (gate.waiting() != length) std::this_thread::sleep_for(kMoment);
}

TEST(Gate, AdmitsAtOnceWhereThePolicyDoes) {
  Memory memory;
  memory.is_short = false;
  Gate gate(memory.judge(), kLongUs);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(gate.enter({}).admits());
  EXPECT_EQ(gate.running(), 3u);
  for (int i = 0; i < 3; ++i) gate.leave();
  EXPECT_EQ(gate.running(), 0u);
}

TEST(Gate, WithoutATimeToWaitItRefusesAtOnce) {
  Memory memory;
  Gate gate(memory.judge(), 0);
  EXPECT_TRUE(gate.enter({}).admits());
  EXPECT_EQ(gate.enter({}).refusal, Refusal::high);
  EXPECT_EQ(gate.running(), 1u);
}

TEST(Gate, WhoWaitedTooLongIsRefusedForItsReason) {
  Memory memory;
  Gate gate(memory.judge(), 30'000);
  EXPECT_TRUE(gate.enter({}).admits());
  EXPECT_EQ(gate.enter({}).refusal, Refusal::high);
  EXPECT_EQ(gate.waiting(), 0u);
  EXPECT_EQ(gate.running(), 1u);
}

TEST(Gate, EachStartsWhenTheOneBeforeHasEnded) {
  Memory memory;
  Gate gate(memory.judge(), kLongUs);
  std::vector<int> order;
  std::vector<std::thread> clients;
  ASSERT_TRUE(gate.enter({}).admits());
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      ASSERT_TRUE(gate.enter({}).admits());
      ASSERT_EQ(gate.running(), 1u);
      order.push_back(i);
      gate.leave();
    });
    wait_for_line(gate, static_cast<std::uint64_t>(i) + 1);
  }
  gate.leave();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(order.size(), 8u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_EQ(gate.running(), 0u);
}

TEST(Gate, AllStartWhenMemoryIsBack) {
  Memory memory;
  Gate gate(memory.judge(), kLongUs);
  ASSERT_TRUE(gate.enter({}).admits());
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] { EXPECT_TRUE(gate.enter({}).admits()); });
  }
  wait_for_line(gate, 4);
  memory.is_short = false;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(gate.running(), 5u);
}

TEST(Gate, AClientThatHangsUpLeavesTheLine) {
  Memory memory;
  Gate gate(memory.judge(), kLongUs);
  ASSERT_TRUE(gate.enter({}).admits());
  std::atomic<bool> gone{false};
  std::thread first([&] { EXPECT_FALSE(gate.enter([&] { return gone.load(); }).admits()); });
  wait_for_line(gate, 1);
  std::thread second([&] { EXPECT_TRUE(gate.enter({}).admits()); });
  wait_for_line(gate, 2);
  gone = true;
  first.join();
  EXPECT_EQ(gate.waiting(), 1u);
  gate.leave();
  second.join();
  EXPECT_EQ(gate.running(), 1u);
}

TEST(Gate, TooManyDoNotWait) {
  Memory memory;
  Gate gate(memory.judge(), kLongUs);
  ASSERT_TRUE(gate.enter({}).admits());
  std::atomic<bool> gone{false};
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < Gate::kMostWaiting; ++i) {
    clients.emplace_back([&] { gate.enter([&] { return gone.load(); }); });
  }
  wait_for_line(gate, Gate::kMostWaiting);
  EXPECT_EQ(gate.enter({}).refusal, Refusal::turn);
  gone = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(gate.running(), 1u);
}

}  // namespace
}  // namespace kvpsi
