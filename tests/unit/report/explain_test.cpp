// SPDX-License-Identifier: MIT
// Sentences about recorded turns: every rule has one, numbers are those of the record.
#include "report/explain.h"

#include <gtest/gtest.h>

#include <set>

#include "base/bytes.h"
#include "journal/reader.h"

namespace kvpsi {
namespace {

Journal read_golden(const std::string& name) {
  const auto journal = read_journal(std::string(KVPSI_SOURCE_DIR) + "/tests/golden/" + name);
  EXPECT_TRUE(journal) << describe(journal.error());
  return journal.value_or(Journal{});
}

TEST(Explain, EveryReasonHasItsSentence) {
  std::set<std::string> sentences;
  int reasons = 0;
  for (; name(static_cast<Reason>(reasons)) != "unknown"; ++reasons) {
    Tick tick;
    tick.decision.reason = static_cast<Reason>(reasons);
    const std::string sentence = explain_reason(tick);
    EXPECT_EQ(sentence.find("does not know"), std::string::npos) << name(tick.decision.reason);
    EXPECT_TRUE(sentences.insert(sentence).second) << sentence;
  }
  EXPECT_GE(reasons, 15);
}

TEST(Explain, TellsNumbersOfActionAndOutcome) {
  Tick first;
  first.observation.sample.t_us = 1'000'000;
  first.decision = {.id = 1};
  Tick trim = first;
  trim.observation.sample.t_us = 13'300'000;
  trim.decision = {.id = 2, .level = Level::high, .reason = Reason::need};
  trim.decision.need_bytes = 20 * kMiB;
  trim.decision.actions.push_back(
      {.decision_id = 2, .verb = Verb::trim, .pool = PoolKind::kv, .bytes = 21 * kMiB});
  trim.signal.psi_present = true;
  trim.signal.origin = Origin::own;
  trim.signal.some_fast = 0.061;
  trim.signal.headroom_bytes = 4 * kMiB;
  trim.signal.reserve_low_bytes = 7 * kMiB;
  Tick after = trim;
  after.observation.sample.t_us = 13'400'000;
  after.decision = {.id = 3, .level = Level::high, .reason = Reason::blanking};
  after.observation.outcomes.push_back({.decision_id = 2,
                                        .verb = Verb::trim,
                                        .pool = PoolKind::kv,
                                        .status = Status::done,
                                        .duration_us = 11'000,
                                        .bytes_released = 20 * kMiB,
                                        .tokens_trimmed = 928});
  const std::vector<Tick> ticks = {first, trim, after};
  const std::vector<Event> events = explain_events(ticks, false);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].sentence,
            "at 12.300 s: level high after calm, asked kv to trim 21.0 MiB: gave back 20.0 MiB "
            "(928 tokens) in 11.0 ms because 20.0 MiB is needed: own stall was 6.1 % of 2 s, "
            "headroom 4.00 MiB is below the reserve of 7.00 MiB.");
  const PolicyConfig config;
  EXPECT_EQ(find_turn(ticks, 12.35), 1u);
  EXPECT_EQ(find_turn(ticks, 12.4), 2u);
  EXPECT_FALSE(find_turn(ticks, 12.5)) << "beyond the end";
  const std::string turn = explain_turn(ticks, 1, &config);
  EXPECT_EQ(turn.find("decision 2 at 12.300 s, level high, rule need\n"), 0u) << turn;
  EXPECT_NE(turn.find("allowed: release yes, trim no"), std::string::npos) << turn;
}

TEST(Explain, TellsThatTheSoftMaximumWasSetAndLifted) {
  Tick first;
  first.decision = {.id = 1};
  first.observation.pools.push_back({.kind = PoolKind::kv, .live_bytes = 100 * kMiB});
  Tick set = first;
  set.observation.sample.t_us = 2'000'000;
  set.observation.kv_soft_max_bytes = 40 * kMiB;
  set.decision = {.id = 2, .kv_budget_bytes = 40 * kMiB};
  Tick lifted = first;
  lifted.observation.sample.t_us = 3'000'000;
  lifted.decision = {.id = 3};
  const std::vector<Tick> ticks = {first, set, set, lifted};
  const std::vector<Event> events = explain_events(ticks, false);
  ASSERT_EQ(events.size(), 3u) << "a goal that only stays is no event";
  EXPECT_NE(events[1].sentence.find("the soft maximum of live KV was set to 40.0 MiB, less than "
                                    "half of the 100 MiB that are live (new work will churn), "),
            std::string::npos)
      << events[1].sentence;
  EXPECT_NE(events[2].sentence.find("was lifted"), std::string::npos) << events[2].sentence;
  EXPECT_NE(explain_turn(ticks, 2, nullptr)
                .find("up to 40.0 MiB (--kv-soft-max); a running answer may go past it\n"),
            std::string::npos);
}

TEST(Explain, ASharedNeedSaysWithWhom) {
  Tick tick;
  tick.decision.reason = Reason::need;
  tick.decision.need_bytes = 5 * kMiB;
  tick.signal.peers_bytes = 300 * kMiB;
  tick.observation.sample.own_anon_bytes = 150 * kMiB;
  EXPECT_EQ(explain_reason(tick).find("5.00 MiB as our share (we hold 150 MiB of anonymous memory, "
                                      "other governed processes 300 MiB) is needed: "),
            0u)
      << explain_reason(tick);
}

TEST(Explain, ARestoreSaysWhatCameBackAndWhatIsStillAway) {
  Tick first;
  first.observation.sample.t_us = 1'000'000;
  first.observation.pools.push_back(
      PoolView{.kind = PoolKind::kv, .spilled_bytes = 30 * kMiB, .trimmed_bytes = 10 * kMiB});
  first.decision = {.id = 1, .reason = Reason::restore};
  first.decision.actions.push_back(
      {.decision_id = 1, .verb = Verb::restore, .pool = PoolKind::kv, .bytes = 20 * kMiB});
  Tick after = first;
  after.observation.sample.t_us = 1'100'000;
  after.decision = {.id = 2};
  after.observation.outcomes.push_back({.decision_id = 1,
                                        .verb = Verb::restore,
                                        .pool = PoolKind::kv,
                                        .status = Status::done,
                                        .duration_us = 4'000,
                                        .bytes_restored = 20 * kMiB,
                                        .tokens_restored = 450});
  const std::vector<Tick> ticks = {first, after};
  const std::string sentence = explain_events(ticks, false)[0].sentence;
  EXPECT_NE(sentence.find("asked kv to restore 20.0 MiB: brought back 20.0 MiB (450 tokens)"),
            std::string::npos)
      << sentence;
  EXPECT_NE(
      sentence.find("more of the 30.0 MiB on disk (10.0 MiB of them out of running contexts)"),
      std::string::npos)
      << sentence;
  EXPECT_NE(explain_turn(ticks, 0, nullptr).find("30.0 MiB on disk"), std::string::npos);
}

TEST(Explain, UnknownAndNegativeHeadroomAreSaid) {
  Tick tick;
  EXPECT_NE(explain_reason(tick).find("headroom is unknown"), std::string::npos);
  tick.signal.headroom_bytes = INT64_MIN;
  EXPECT_NE(explain_reason(tick).find("headroom -"), std::string::npos);
}

TEST(Explain, SqueezeWithoutLossTellsOfNothingToDo) {
  const Journal journal = read_golden("real-s1.jsonl");
  const std::vector<Event> events = explain_events(journal.ticks, false);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].sentence.find("at 0.000 s: began at level calm, did nothing because"), 0u);
  EXPECT_EQ(explain_events(journal.ticks, true).size(), journal.ticks.size());
}

TEST(Explain, SqueezeWithTrimIsToldInOrder) {
  const Journal journal = read_golden("real-s2.jsonl");
  const std::vector<Event> events = explain_events(journal.ticks, false);
  std::vector<Reason> reasons;
  for (const Event& event : events) {
    if (reasons.empty() || reasons.back() != event.reason) reasons.push_back(event.reason);
  }
  const std::vector<Reason> told(reasons.begin(), reasons.begin() + 4);
  const std::vector<Reason> want = {Reason::at_rest, Reason::first_sign, Reason::at_rest,
                                    Reason::level_entry};
  EXPECT_EQ(told, want);
  for (std::size_t i = 1; i < events.size(); ++i) EXPECT_LE(events[i - 1].t_s, events[i].t_s);
}

}  // namespace
}  // namespace kvpsi
