// SPDX-License-Identifier: MIT
// What has to hold after any squeeze: every token that left a context is back, on disk or lost by
// name, conversation by conversation; who was left alone says what it would have said; nobody was
// killed; nothing is left behind. Adds a failure for each thing that does not. Next hop:
// squeeze_faults_test.cpp.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "journal/reader.h"
#include "squeeze_run.h"

namespace kvpsi::test {

/// Of one conversation, or of all.
struct Books {
  std::uint64_t trimmed = 0;
  std::uint64_t spoiled = 0;
  std::uint64_t restored = 0;
  std::uint64_t reevaluated = 0;
  std::uint64_t lost = 0;

  explicit Books(const Json& json = Json::object())
      : trimmed(json.value("tokens_trimmed", 0U)),
        spoiled(json.value("tokens_spoiled", 0U)),
        restored(json.value("tokens_restored", 0U)),
        reevaluated(json.value("tokens_reevaluated", 0U)),
        lost(json.value("tokens_lost", 0U)) {}

  std::int64_t out() const {
    return static_cast<std::int64_t>(trimmed + spoiled) -
           static_cast<std::int64_t>(restored + reevaluated + lost);
  }
  bool is_untouched() const { return trimmed + spoiled == 0; }
  void add(const Books& other) {
    trimmed += other.trimmed;
    spoiled += other.spoiled;
    restored += other.restored;
    reevaluated += other.reevaluated;
    lost += other.lost;
  }
  bool operator==(const Books&) const = default;
};

/// Sums over all squeezes, for the last line of the log.
struct SqueezeTotals {
  Books books;
  std::uint64_t runs = 0;
  std::uint64_t killed = 0;    ///< by the plan
  std::uint64_t trimming = 0;  ///< runs that trimmed
  std::uint64_t losing = 0;
  std::uint64_t texts = 0;    ///< compared with the undisturbed run's
  std::uint64_t touched = 0;  ///< conversations that gave something up
};

class SqueezeCheck {
 public:
  SqueezeCheck(SqueezeBench& bench, const SqueezePlan& plan, const Json& undisturbed,
               SqueezeTotals& totals)
      : bench_(bench), plan_(plan), undisturbed_(undisturbed), totals_(totals) {}

  void check(const SqueezeOutcome& outcome) {
    ++totals_.runs;
    EXPECT_FALSE(outcome.hung) << "it did not end within its time";
    EXPECT_EQ(outcome.oom_kills, 0U) << "somebody was killed for memory";
    for (const std::string& complaint : outcome.complaints) ADD_FAILURE() << complaint;
    check_exit(outcome);
    if (outcome.summary && outcome.exit.is_ok()) check_summary(*outcome.summary, outcome.words);
    check_journal(outcome);
    check_leftovers(outcome);
  }

 private:
  /// docs/json-output.md and --help: 0 with a summary, asked to end or not; 1 before there was a
  /// text; what SIGKILL ends has nothing to say.
  void check_exit(const SqueezeOutcome& outcome) {
    if (plan_.is_sent(SIGKILL) && outcome.exit.signal == SIGKILL) {
      ++totals_.killed;
      return;
    }
    EXPECT_EQ(outcome.exit.describe(), "ok") << outcome.words;
    EXPECT_TRUE(outcome.summary) << "ended without a summary\n" << outcome.words;
  }

  void check_summary(const Json& summary, const std::string& words) {
    Books sum;
    bool all_whole = true;
    const Json& conversations = summary.at("conversations");
    for (const Json& one : conversations) all_whole = all_whole && is_whole(one);
    for (const Json& one : conversations) {
      const Books books(one);
      sum.add(books);
      check_books(one, books);
      if (books.is_untouched()) {
        check_text(one, all_whole, summary);
      } else {
        ++totals_.touched;
      }
    }
    const Books all(summary.at("context"));
    EXPECT_TRUE(sum == all) << "the conversations' books do not add up to\n"
                            << summary.at("context").dump();
    const Json& kv = summary.at("kv");
    const auto per_cell = kv.at("bytes_per_cell").get<std::uint64_t>();
    EXPECT_LE(static_cast<std::int64_t>(kv.at("trimmed_bytes").get<std::uint64_t>() / per_cell),
              all.out());
    const bool has_file = plan_.place != SpillPlace::nowhere;
    EXPECT_TRUE(all.lost == 0 || !has_file || plan_.eager ||
                words.find("lost") != std::string::npos)
        << "lost without a word";
    totals_.books.add(all);
    totals_.trimming += all.trimmed > 0 ? 1 : 0;
    totals_.losing += all.lost > 0 ? 1 : 0;
  }

  /// The cache itself was asked how many tokens are in it. A sequence may keep its last cell for
  /// the next token to follow although its row is lost.
  void check_books(const Json& one, const Books& books) {
    const auto missing = one.at("tokens_missing").get<std::int64_t>();
    const std::int64_t told = books.out() + static_cast<std::int64_t>(books.lost);
    EXPECT_GE(books.out(), 0) << one.dump();
    EXPECT_LE(missing, told) << one.dump();
    EXPECT_GE(missing + (books.spoiled > 0 ? 1 : 0), told) << one.dump();
  }

  static bool is_whole(const Json& one) {
    const Json& then = one.at("then");
    return one.at("stop_reason") == "length" &&
           (then.is_null() || then.at("stop_reason") == "length");
  }

  void check_text(const Json& one, bool all_whole, const Json& summary) {
    const Json& alone = undisturbed_.at("conversations").at(one.at("index").get<std::size_t>());
    // One that ended early leaves smaller batches to the others, which round differently.
    const bool asked_to_end = summary.at("stop_reason") == "interrupted";
    if (!all_whole && !asked_to_end) return;
    ++totals_.texts;
    expect_begins(one.at("text"), alone.at("text"), all_whole);
    if (!one.at("then").is_null()) {
      expect_begins(one.at("then").at("text"), alone.at("then").at("text"), all_whole);
    }
  }

  /// `said` is `expected`, or the begin of it. Cut inside a character it ends in U+FFFD.
  static void expect_begins(std::string said, const std::string& expected, bool whole) {
    if (whole) {
      EXPECT_EQ(said, expected) << "never trimmed, and yet it says something else";
      return;
    }
    while (said.ends_with("\xEF\xBF\xBD")) said.resize(said.size() - 3);
    EXPECT_EQ(said, expected.substr(0, said.size())) << "never trimmed, and yet it says so";
  }

  /// Every line is a tick; what SIGKILL cut may end inside one.
  void check_journal(const SqueezeOutcome& outcome) {
    const auto journal = read_journal(outcome.journal);
    ASSERT_TRUE(journal) << describe(journal.error());
    EXPECT_TRUE(!journal->ends_in_cut_line || outcome.exit.signal == SIGKILL);
    std::uint64_t trimmed = 0;
    for (const Tick& tick : journal->ticks) {
      for (const Outcome& one : tick.observation.outcomes) trimmed += one.tokens_trimmed;
    }
    if (!outcome.summary) return;
    EXPECT_LE(trimmed, Books(outcome.summary->at("context")).trimmed) << "trims that were not";
  }

  void check_leftovers(const SqueezeOutcome& outcome) {
    EXPECT_FALSE(bench_.is_group_left());
    EXPECT_NE(::kill(outcome.pid, 0), 0) << "the engine lives";
    const std::string socket = "@kvpsi-" + std::to_string(outcome.pid) + "-";
    EXPECT_EQ(read_text("/proc/net/unix").find(socket), std::string::npos);
    for (const auto& entry : std::filesystem::directory_iterator(bench_.spill_dir(plan_))) {
      EXPECT_EQ(entry.path().filename(), "lost+found");
    }
    static const std::vector<std::string> known = {"model.gguf",    "spill",    "prompts",
                                                   "phases",        "run.json", "run.log",
                                                   "journal.jsonl", "press.log"};
    for (const auto& entry : std::filesystem::directory_iterator(bench_.dir())) {
      const std::string name = entry.path().filename();
      EXPECT_TRUE(std::ranges::find(known, name) != known.end() || name.starts_with("mount-"))
          << name << " was left";
    }
  }

  SqueezeBench& bench_;
  const SqueezePlan& plan_;
  const Json& undisturbed_;
  SqueezeTotals& totals_;
};

}  // namespace kvpsi::test
