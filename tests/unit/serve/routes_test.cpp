// SPDX-License-Identifier: MIT
// Every route with a host that governs and with one that does not: status, types, what is asked of
// the host, and that nothing comes out of an answer but a response.
#include "serve/routes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <nlohmann/json.hpp>
#include <set>

namespace kvpsi {
namespace {

using Json = nlohmann::json;

class Host : public RouteHost {
 public:
  ServerSnapshot snapshot() const override {
    if (fails) throw std::bad_alloc();
    return shown;
  }
  bool give_back() override {
    ++given_back;
    return shown.is_governed;
  }
  bool set_paused(bool paused) override {
    pauses.push_back(paused);
    return shown.is_governed;
  }

  ServerSnapshot shown;
  int given_back = 0;
  std::vector<bool> pauses;
  bool fails = false;
};

Host governed() {
  Host host;
  host.shown.is_governed = true;
  host.shown.model = "a\xff.gguf";
  host.shown.not_governed = {"a draft model's cache"};
  host.shown.requests = {.running = 2, .admitted = 5};
  host.shown.requests.refused[static_cast<std::size_t>(Refusal::critical)] = 1;
  host.shown.requests.refused[static_cast<std::size_t>(Refusal::high)] = 3;
  Tick tick;
  tick.decision.id = 7;
  tick.decision.level = Level::high;
  tick.decision.kv_budget_bytes = 1'000;
  tick.observation.sample.psi_own = {1'500'000, 500'000};
  tick.observation.sample.mem_available_bytes = 1;
  PoolView kv;
  kv.cells_total = 100;
  kv.cells_live = 25;
  kv.live_bytes = 12'345;
  tick.observation.pools.push_back(kv);
  host.shown.tick = tick;
  return host;
}

HttpResponse ask(std::string_view path, Host& host) {
  const auto all = routes();
  const auto found = std::ranges::find(all, path, &Route::path);
  if (found == all.end()) throw std::invalid_argument("no such route");
  return answer(*found, host);
}

TEST(Routes, StateIsJsonOfItsSchema) {
  Host host = governed();
  const HttpResponse response = ask("/kvpsi/state", host);
  EXPECT_EQ(response.status, 200);
  const Json state = Json::parse(response.body);
  EXPECT_EQ(state["schema"], "kvpsi.state/1");
  EXPECT_EQ(state["tick"]["decision"]["id"], 7);
  EXPECT_EQ(state["admission"]["refused_total"]["high"], 3);
  EXPECT_EQ(state["not_governed"].size(), 1u);
  host.shown.tick.reset();
  EXPECT_TRUE(Json::parse(ask("/kvpsi/state", host).body)["tick"].is_null());
}

TEST(Routes, MetricsNameEveryFamilyOnce) {
  Host host = governed();
  const HttpResponse response = ask("/kvpsi/metrics", host);
  EXPECT_TRUE(response.content_type.starts_with("application/openmetrics-text"));
  EXPECT_TRUE(response.body.ends_with("# EOF\n"));
  std::set<std::string> families;
  for (std::size_t at = 0; (at = response.body.find("# TYPE ", at)) != std::string::npos; ++at) {
    const std::string line = response.body.substr(at, response.body.find('\n', at) - at);
    EXPECT_TRUE(families.insert(line).second) << line << " twice";
  }
  EXPECT_GE(families.size(), 20u);
  for (const char* line :
       {"\nkvpsi_level 2\n", "\nkvpsi_kv_usage_ratio 0.25\n", "\nkvpsi_kv_budget_bytes 1000\n",
        "\nkvpsi_requests_running 2\n", "\nkvpsi_refused_total{reason=\"high\"} 3\n",
        "\nkvpsi_stall_seconds_total{scope=\"own\",kind=\"some\"} 1.5\n",
        "\nkvpsi_pool_bytes{pool=\"kv\",state=\"live\"} 12345\n"}) {
    EXPECT_NE(response.body.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(response.body.find("scope=\"system\""), std::string::npos) << "not readable here";
}

TEST(Routes, ReadyRefusesWhatWorkWouldGet) {
  Host host = governed();
  EXPECT_EQ(ask("/kvpsi/ready", host).status, 200);
  host.shown.admission = {.refusal = Refusal::critical, .retry_after_s = 6};
  const HttpResponse refused = ask("/kvpsi/ready", host);
  EXPECT_EQ(refused.status, 503);
  ASSERT_EQ(refused.headers.size(), 1u);
  EXPECT_EQ(refused.headers[0], (std::pair<std::string, std::string>{"Retry-After", "6"}));
  const Json error = Json::parse(refused.body)["error"];
  EXPECT_EQ(error["code"], 503);
  EXPECT_EQ(error["type"], "unavailable_error");
  EXPECT_EQ(ask("/kvpsi/live", host).status, 200) << "a server that refuses work is alive";
}

TEST(Routes, ControlsReachTheHost) {
  Host host = governed();
  EXPECT_EQ(ask("/kvpsi/give-back", host).status, 200);
  EXPECT_EQ(host.given_back, 1);
  EXPECT_EQ(ask("/kvpsi/pause", host).status, 200);
  EXPECT_EQ(ask("/kvpsi/resume", host).status, 200);
  EXPECT_EQ(host.pauses, (std::vector<bool>{true, false}));
  host.shown.is_governed = false;
  EXPECT_EQ(ask("/kvpsi/give-back", host).status, 501);
  EXPECT_EQ(ask("/kvpsi/pause", host).status, 501);
}

TEST(Routes, WhatChangesIsNoGet) {
  for (const Route& route : routes()) {
    Host host = governed();
    answer(route, host);
    const bool changes = host.given_back > 0 || !host.pauses.empty();
    EXPECT_EQ(changes, route.method == Method::post) << route.path;
  }
}

TEST(Routes, AnErrorInsideIsAResponse) {
  Host host;
  host.fails = true;
  EXPECT_EQ(ask("/kvpsi/state", host).status, 500);
}

TEST(Routes, WorkIsWhatFillsTheCache) {
  EXPECT_TRUE(is_work("/v1/chat/completions"));
  EXPECT_TRUE(is_work("/embeddings"));
  for (const char* path : {"/health", "/tokenize", "/v1/chat/completions/control",
                           "/slots/:id_slot", "/v1/messages/count_tokens", "/kvpsi/state", ""}) {
    EXPECT_FALSE(is_work(path)) << path;
  }
}

}  // namespace
}  // namespace kvpsi
