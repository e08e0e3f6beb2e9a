// SPDX-License-Identifier: MIT
// Ticks to JSON lines and back, exactly; files cut, garbled, full; and the replay of a journal.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "govern/governor.h"
#include "journal/reader.h"
#include "journal/tick_json.h"
#include "journal/writer.h"
#include "support/example_tick.h"
#include "support/fake_machine.h"

namespace kvpsi {
namespace {

std::string temp_path(const std::string& name) {
  return testing::TempDir() + "kvpsi_journal_" + std::to_string(::getpid()) + "_" + name;
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(TickJson, GoesThereAndBackExactly) {
  const Tick tick = test::example_tick();
  const Result<Tick> back = tick_from_json(tick_to_json(tick));
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_EQ(*back, tick);
  EXPECT_EQ(tick_to_json(*back), tick_to_json(tick));
}

TEST(TickJson, KeepsExtremes) {
  Tick tick;
  tick.observation.sample.group_usage_bytes = std::numeric_limits<std::uint64_t>::max();
  tick.signal.headroom_bytes = std::numeric_limits<std::int64_t>::min();
  tick.signal.headroom_slope = -std::numeric_limits<double>::infinity();
  tick.signal.foreign_slope = std::numeric_limits<double>::denorm_min();
  tick.signal.some_fast = 0.1 + 0.2;
  tick.signal.some_slow = std::numeric_limits<double>::max();
  tick.config_hash = std::numeric_limits<std::uint64_t>::max();
  const Result<Tick> back = tick_from_json(tick_to_json(tick));
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_EQ(*back, tick);
  tick.signal.full_fast = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(tick_from_json(tick_to_json(tick))->signal.full_fast));
}

TEST(TickJson, AbsentFactsAreNullNotZero) {
  const std::string line = tick_to_json(Tick{});
  EXPECT_NE(line.find("\"psi_own\":null"), std::string::npos);
  EXPECT_NE(line.find("\"group_limit_bytes\":null"), std::string::npos);
  EXPECT_NE(line.find("\"time_to_empty_s\":\"inf\""), std::string::npos);
  EXPECT_EQ(line.find("{\"schema\":\"kvpsi.tick/1\","), 0u);
  EXPECT_EQ(*tick_from_json(line), Tick{});
}

TEST(TickJson, ReadsTheFirstJournalsWithoutASoftMaximum) {
  std::string line = tick_to_json(Tick{});
  const std::string member = "\"kv_soft_max_bytes\":null,";
  const auto at = line.find(member);
  ASSERT_NE(at, std::string::npos);
  line.erase(at, member.size());
  EXPECT_EQ(*tick_from_json(line), Tick{});
}

TEST(TickJson, IgnoresMembersOfLaterVersions) {
  std::string line = tick_to_json(Tick{});
  line.insert(1, "\"later\":{\"a\":[1,2]},");
  EXPECT_TRUE(tick_from_json(line));
}

std::string change(const std::string& what, const std::string& into) {
  std::string line = tick_to_json(test::example_tick());
  const auto at = line.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return line.replace(at, what.size(), into);
}

TEST(TickJson, SaysWhichMemberIsWrong) {
  const auto error_of = [](const std::string& line) {
    const Result<Tick> tick = tick_from_json(line);
    return tick ? std::string("none") : tick.error().what;
  };
  EXPECT_EQ(error_of(change("\"t_us\":1,", "")), "sample.t_us is missing");
  EXPECT_EQ(error_of(change("\"t_us\":1,", "\"t_us\":-1,")), "sample.t_us has a wrong value");
  EXPECT_EQ(error_of(change("\"t_us\":1,", "\"t_us\":1.5,")), "sample.t_us has a wrong value");
  EXPECT_EQ(error_of(change("\"verb\":\"", "\"verb\":\"no")), "outcomes[0].verb has a wrong value");
  EXPECT_EQ(error_of(change("\"pools\":[", "\"pools\":[5,")), "pools[0]. is not an object");
  EXPECT_EQ(error_of(change("fedcba", "FEDCBA")), "config_hash is not hex text of 16 digits");
  EXPECT_EQ(error_of(change("tick/1", "tick/2")), "is not of schema kvpsi.tick/1");
  EXPECT_EQ(error_of("[]"), "is not a JSON object");
  EXPECT_EQ(error_of(""), "is not a JSON object");
}

TEST(TickJson, RefusesMoreEntriesThanATickHolds) {
  Tick tick;
  tick.observation.pools.push_back(PoolView{});
  std::string line = tick_to_json(tick);
  const std::size_t begin = line.find("\"pools\":[") + 9;
  const std::string pool = line.substr(begin, line.find(']', begin) - begin);
  for (int i = 0; i < 6; ++i) line.insert(begin, pool + ",");
  EXPECT_EQ(tick_from_json(line).error().what, "pools has too many entries");
}

TEST(Journal, EveryCutGivesTheWholeLinesBeforeIt) {
  const std::string path = temp_path("cut");
  const std::string line = tick_to_json(test::example_tick()) + "\n";
  const std::string whole = line + line;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    // Every byte around the line breaks, every 61st elsewhere.
    const std::size_t in_line = size % line.size();
    if (in_line > 3 && in_line + 3 < line.size() && size % 61 != 0) continue;
    write_text(path, whole.substr(0, size));
    const Result<Journal> journal = read_journal(path);
    ASSERT_TRUE(journal) << size << ": " << describe(journal.error());
    // A line that lacks only its line break is whole.
    const std::size_t lines = (size + 1) / line.size();
    ASSERT_EQ(journal->ticks.size(), lines) << size;
    ASSERT_EQ(journal->ends_in_cut_line, size % line.size() != 0 && (size + 1) % line.size() != 0)
        << size;
  }
  std::filesystem::remove(path);
}

TEST(Journal, GarbageIsAnErrorWithItsLine) {
  const std::string path = temp_path("garbage");
  const std::string line = tick_to_json(Tick{}) + "\n";
  for (const std::string garbage : {"hello\n", "\n", "{\"schema\":\"kvpsi.tick/1\"}\n"}) {
    write_text(path, line + line + garbage + line);
    const Result<Journal> journal = read_journal(path);
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.error().what.find("line 3: "), 0u) << journal.error().what;
    EXPECT_EQ(journal.error().path, path);
  }
  std::filesystem::remove(path);
  EXPECT_EQ(read_journal(path).error().code, ErrorCode::not_found);
  EXPECT_EQ(read_journal(testing::TempDir()).error().code, ErrorCode::io);
}

TEST(Journal, WriterWritesWhatItWasGivenInOrder) {
  const std::string path = temp_path("writer");
  {
    Result<std::unique_ptr<JournalWriter>> writer = JournalWriter::open(path);
    ASSERT_TRUE(writer) << describe(writer.error());
    Tick tick = test::example_tick();
    for (std::uint64_t i = 0; i < 200; ++i) {
      tick.decision.id = i;
      (*writer)->on_tick(tick);
    }
    const JournalStatus flushed = (*writer)->flush();
    EXPECT_EQ(flushed.lines_written + flushed.ticks_dropped, 200u);
    EXPECT_EQ(read_journal(path)->ticks.size(), flushed.lines_written);
    tick.decision.id = 200;
    (*writer)->on_tick(tick);
  }
  const Result<Journal> journal = read_journal(path);
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->ticks.back().decision.id, 200u) << "closing flushes";
  for (std::size_t i = 1; i < journal->ticks.size(); ++i) {
    EXPECT_LT(journal->ticks[i - 1].decision.id, journal->ticks[i].decision.id);
  }
  std::filesystem::remove(path);
}

TEST(Journal, SlowDiskCostsTicksNotTime) {
  const std::string path = temp_path("fifo");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  Result<std::unique_ptr<JournalWriter>> writer = JournalWriter::open(path);
  ASSERT_TRUE(writer);
  const Tick tick = test::example_tick();
  constexpr std::uint64_t kTicks = 2000;
  for (std::uint64_t i = 0; i < kTicks; ++i) (*writer)->on_tick(tick);  // nobody reads
  EXPECT_GT((*writer)->status().ticks_dropped, kTicks / 2);
  std::atomic<bool> done = false;
  std::thread drain([reader, &done] {
    char buffer[65536];
    while (!done) {
      if (::read(reader, buffer, sizeof buffer) <= 0) std::this_thread::yield();
    }
  });
  const JournalStatus status = (*writer)->flush();
  EXPECT_EQ(status.lines_written + status.ticks_dropped, kTicks);
  EXPECT_FALSE(status.error);
  writer->reset();
  done = true;
  drain.join();
  ::close(reader);
  std::filesystem::remove(path);
}

TEST(Journal, FullDiskIsReportedAndHurtsNobody) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "this machine has no /dev/full";
  Result<std::unique_ptr<JournalWriter>> writer = JournalWriter::open("/dev/full");
  ASSERT_TRUE(writer);
  for (int i = 0; i < 10; ++i) (*writer)->on_tick(Tick{});
  const JournalStatus status = (*writer)->flush();
  ASSERT_TRUE(status.error);
  EXPECT_EQ(status.error->code, ErrorCode::exhausted);
  EXPECT_EQ(status.error->path, "/dev/full");
  EXPECT_EQ(status.lines_written, 0u);
}

TEST(Journal, OpenSaysWhatIsWrong) {
  const auto missing = JournalWriter::open("/no/such/folder/journal.jsonl");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_EQ(missing.error().path, "/no/such/folder/journal.jsonl");
}

TEST(Journal, ReplayMakesTheSameDecisions) {
  const std::string path = temp_path("replay");
  test::FakeMachine machine;
  test::make_lossy_squeeze(machine);
  std::vector<MemoryPool*> pools = machine.pools();
  GovernorOptions options;
  options.policy.trim_allowed = true;
  {
    auto writer = *JournalWriter::open(path);
    Governor governor(options, machine, pools, machine, *writer);
    bool paused = false;
    while (machine.now_us() < 15'000'000) {
      governor.step();
      if (!paused && machine.now_us() >= 9'000'000) {
        paused = true;
        governor.toggle_pause();
      }
      writer->flush();
    }
    EXPECT_EQ(writer->status().ticks_dropped, 0u);
  }
  const Result<Journal> journal = read_journal(path);
  ASSERT_TRUE(journal) << describe(journal.error());
  ASSERT_GE(journal->ticks.size(), 50u);
  ASSERT_GE(machine.trims_bytes.size(), 1u);
  PolicyState state;
  for (const Tick& tick : journal->ticks) {
    const Decided decided = decide(state, tick.observation, options.policy);
    ASSERT_EQ(decided.decision, tick.decision) << tick.decision.id;
    ASSERT_EQ(decided.signal, tick.signal) << tick.decision.id;
    state = decided.state;
    ASSERT_EQ(state_hash(state), tick.state_hash) << tick.decision.id;
    ASSERT_EQ(options.policy.hash(), tick.config_hash);
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace kvpsi
