// SPDX-License-Identifier: MIT
// The small parts of the bench: SHA-256, prompt text, page cache, run summaries, the out folder.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "bench/engine_summary.h"
#include "bench/out_dir.h"
#include "bench/page_cache.h"
#include "bench/prompt_text.h"
#include "bench/run_phase.h"
#include "bench/sha256.h"

namespace kvpsi {
namespace {

std::string digest_of(std::string_view text, std::size_t piece) {
  Sha256 hash;
  while (!text.empty()) {
    const auto part = text.substr(0, piece);
    hash.add({reinterpret_cast<const unsigned char*>(part.data()), part.size()});
    text.remove_prefix(part.size());
  }
  return hash.finish();
}

// Vectors of FIPS 180-2, appendix B, and of the empty message.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(digest_of("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of("abc", 3),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest_of(std::string(1'000'000, 'a'), 4096),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesDoNotMatter) {
  const std::string text(1000, 'x');
  for (const std::size_t piece : {1, 3, 63, 64, 65, 128, 999}) {
    EXPECT_EQ(digest_of(text, piece), digest_of(text, 1000)) << piece;
  }
}

TEST(PromptText, IsSeededLongEnoughAndPlain) {
  const std::string text = make_prompt(1, 2000);
  EXPECT_EQ(text, make_prompt(1, 2000));
  EXPECT_NE(text, make_prompt(2, 2000));
  EXPECT_GE(std::ranges::count_if(text, [](char c) { return c == ' ' || c == '\n'; }), 2000);
  for (const char c : text) {
    EXPECT_TRUE(std::isalpha(static_cast<unsigned char>(c)) || c == ' ' || c == ',' || c == '.' ||
                c == '\n')
        << static_cast<int>(c);
  }
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    // Not /tmp: where that is tmpfs there is no page cache to drop.
    char name[] = "/var/tmp/kvpsi-parts-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  void write(const std::string& name, std::size_t bytes) {
    std::ofstream(dir_ + "/" + name) << std::string(bytes, 'k');
  }
  std::string dir_;
};

TEST_F(Files, DropsAFileFromThePageCacheAndSeesThatItIsGone) {
  write("weights", 4 << 20);
  const auto before = cached_bytes(dir_ + "/weights");
  ASSERT_TRUE(before);
  EXPECT_EQ(*before, 4U << 20) << "it was just written";
  const auto dropped = drop_from_cache(dir_ + "/weights", 5000);
  ASSERT_TRUE(dropped) << describe(dropped.error());
  EXPECT_EQ(*cached_bytes(dir_ + "/weights"), 0U);
}

TEST_F(Files, SaysThatAMappedFileStays) {
  write("weights", 1 << 20);
  ASSERT_TRUE(drop_from_cache(dir_ + "/weights", 5000));
  const int fd = ::open((dir_ + "/weights").c_str(), O_RDONLY | O_CLOEXEC);
  void* base = ::mmap(nullptr, 1 << 20, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  ASSERT_NE(base, MAP_FAILED);
  const auto dropped = drop_from_cache(dir_ + "/weights", 100);
  ASSERT_FALSE(dropped);
  EXPECT_EQ(dropped.error().code, ErrorCode::busy);
  EXPECT_NE(dropped.error().what.find("maps the file"), std::string::npos);
  ::munmap(base, 1 << 20);
  ::close(fd);
}

TEST_F(Files, MissingFilesAreErrors) {
  EXPECT_EQ(drop_from_cache(dir_ + "/none", 0).error().code, ErrorCode::not_found);
  EXPECT_EQ(hash_file(dir_ + "/none").error().code, ErrorCode::not_found);
  EXPECT_EQ(read_engine_summary(dir_ + "/none").error().code, ErrorCode::not_found);
}

TEST_F(Files, OutFolderLosesOldRunsAndKeepsTheRest) {
  write("journal-1-psi.jsonl", 1);
  write("run-1-psi.json", 1);
  write("neighbour-1-psi.rounds", 1);
  write("results.json", 1);
  write("run-notes.txt", 1);
  ASSERT_TRUE(prepare_out_dir(dir_));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/journal-1-psi.jsonl"));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/run-1-psi.json"));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/neighbour-1-psi.rounds"));
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/results.json"));
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/run-notes.txt"));
  EXPECT_TRUE(prepare_out_dir(dir_ + "/a/b"));
  EXPECT_FALSE(prepare_out_dir(dir_ + "/results.json/a"));
}

constexpr std::string_view kSummary = R"({"schema":"kvpsi.run/1","exit":"ok","stop_reason":"length",
  "n_ctx":8192,"prompt_tokens":2000,"decoded":300,"text":"hi","token_t_us":[1,2],
  "timing":{"start_us":1,"loaded_us":2,"prefill_start_us":3,"decode_start_us":4,
            "decode_end_us":5,"tok_s":37.5,"latency_ms":{"p50":1,"p99":2,"max":3}},
  "kv":{"resident_bytes":7,"tokens_final":2300,"bytes_per_cell":23040},
  "memory":{"rss_anon_bytes":9,"hwm_bytes":10,"weights_file_bytes":11,"weights_anon_bytes":0},
  "own_psi":{"some_pct":0.5,"full_pct":0.25},"cpu_us":{"decode":12},
  "context":{"tokens_trimmed":1680},
  "governor":{"prunes":1,"first_stall_us":1000,"first_release_us":251000}})";

TEST(EngineSummary, ReadsWhatTheBenchNeeds) {
  const auto summary = parse_engine_summary(kSummary);
  ASSERT_TRUE(summary) << describe(summary.error());
  EXPECT_EQ(summary->decoded, 300U);
  EXPECT_DOUBLE_EQ(summary->tok_s, 37.5);
  EXPECT_EQ(summary->at_decode_end.kv_tokens, 2300U);
  EXPECT_EQ(summary->at_end.tokens_trimmed, 1680U);
  EXPECT_EQ(summary->own_psi, (StallPct{0.5, 0.25}));
  ASSERT_TRUE(summary->reaction_ms);
  EXPECT_DOUBLE_EQ(*summary->reaction_ms, 250);
}

TEST(EngineSummary, AbsentAndNullFactsAreEmpty) {
  const auto summary = parse_engine_summary(
      R"({"schema":"kvpsi.run/1","exit":"ok","decoded":0,"own_psi":null,
          "timing":{"decode_start_us":0,"decode_end_us":0}})");
  ASSERT_TRUE(summary) << describe(summary.error());
  EXPECT_FALSE(summary->own_psi);
  EXPECT_FALSE(summary->reaction_ms);
}

TEST(EngineSummary, CutAnywhereIsRefused) {
  for (std::size_t cut = 0; cut < kSummary.size(); cut += 5) {
    const auto summary = parse_engine_summary(kSummary.substr(0, cut), "run.json");
    ASSERT_FALSE(summary) << cut;
    EXPECT_EQ(summary.error().code, ErrorCode::malformed);
  }
  EXPECT_FALSE(parse_engine_summary(R"({"schema":"kvpsi.press/1"})"));
}

TEST(RunPhase, IsSeenOnceItsLineIsWhole) {
  const std::string text = format_phase(1, RunPhase::decode) + format_phase(2, RunPhase::rest);
  EXPECT_EQ(text, "{\"t_us\":1,\"phase\":\"decode\"}\n{\"t_us\":2,\"phase\":\"rest\"}\n");
  EXPECT_TRUE(has_begun(text, RunPhase::decode));
  EXPECT_TRUE(has_begun(text, RunPhase::rest));
  EXPECT_FALSE(has_begun(text, RunPhase::then));
  EXPECT_FALSE(has_begun(text.substr(0, text.size() - 1), RunPhase::rest));
  EXPECT_FALSE(has_begun("", RunPhase::load));
}

}  // namespace
}  // namespace kvpsi
