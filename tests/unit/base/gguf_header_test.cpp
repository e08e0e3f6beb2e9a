// SPDX-License-Identifier: MIT
// The GGUF header parser: what it reads, what it refuses, and which weights it expects in anonymous
// memory.
#include "base/gguf_header.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/gguf_file.h"
#include "support/gguf_builder.h"

namespace kvpsi {
namespace {

using test::GgufBuilder;
using test::small_llama;

constexpr std::uint32_t kQ4_0 = 2;
constexpr std::uint32_t kQ4_1 = 3;
constexpr std::uint32_t kQ2_K = 10;
constexpr std::uint64_t kMatrixQ4_0 = 64 * 64 / 32 * 18;
constexpr std::uint64_t kMatrixQ4_1 = 64 * 64 / 32 * 20;

TEST(GgufHeader, ReadsKeysAndCountsTensorsByType) {
  const auto builder = small_llama(kQ4_1, kMatrixQ4_1);
  const auto header = parse_gguf_header(builder.build(), builder.file_bytes());
  ASSERT_TRUE(header) << describe(header.error());
  EXPECT_EQ(header->version, 3U);
  EXPECT_EQ(header->architecture, "llama");
  EXPECT_EQ(header->name, "Tiny");
  EXPECT_EQ(header->context_length, 8192U);
  EXPECT_EQ(header->tensors, 3U);
  ASSERT_EQ(header->types.size(), 3U);
  EXPECT_EQ(header->types[0].type, kQ4_1);
  EXPECT_EQ(header->types[0].bytes, kMatrixQ4_1);
  EXPECT_EQ(header->tensor_bytes, kMatrixQ4_1 + 64 * 32 / 32 * 34 + 64 * 4);
}

TEST(GgufHeader, VersionTwoReadsAlike) {
  const auto builder = small_llama(kQ4_1, kMatrixQ4_1);
  EXPECT_TRUE(parse_gguf_header(builder.build(2), builder.file_bytes()));
}

TEST(GgufHeader, KvBytesPerTokenFollowFromTheShape) {
  const auto builder = small_llama(kQ4_1, kMatrixQ4_1);
  const auto header = parse_gguf_header(builder.build(), builder.file_bytes());
  ASSERT_TRUE(header);
  EXPECT_EQ(kv_bytes_per_token(*header), 2U * 3U * (64U + 64U) * 2U);
}

TEST(GgufHeader, KvBytesPerTokenAreUnknownWhereHeadsDifferByLayer) {
  GgufBuilder builder;
  builder.text("general.architecture", "x")
      .u32("x.block_count", 2)
      .list_of_u32("x.attention.head_count_kv", 2);
  const auto header = parse_gguf_header(builder.build(), builder.file_bytes());
  ASSERT_TRUE(header) << describe(header.error());
  EXPECT_EQ(kv_bytes_per_token(*header), std::nullopt);
}

TEST(GgufHeader, OnlyRepackableTypesBecomeAnonymous) {
  const CpuVectors avx2{.avx2 = true, .avx512 = false};
  const auto mapped = small_llama(kQ4_1, kMatrixQ4_1);
  const auto repacked = small_llama(kQ4_0, kMatrixQ4_0);
  const auto k2 = small_llama(kQ2_K, 64 * 64 / 256 * 84);
  EXPECT_EQ(expect_repacked_bytes(*parse_gguf_header(mapped.build(), mapped.file_bytes()), avx2),
            0U);
  const auto header = parse_gguf_header(repacked.build(), repacked.file_bytes());
  EXPECT_EQ(expect_repacked_bytes(*header, avx2), kMatrixQ4_0);
  EXPECT_EQ(expect_repacked_bytes(*header, CpuVectors{}), 0U);
  const auto k2_header = parse_gguf_header(k2.build(), k2.file_bytes());
  EXPECT_EQ(expect_repacked_bytes(*k2_header, avx2), 0U);
  EXPECT_EQ(expect_repacked_bytes(*k2_header, {.avx2 = true, .avx512 = true}),
            64U * 64U / 256U * 84U);
}

TEST(GgufHeader, EmbeddingThatServesAsOutputIsRepackedOnTop) {
  GgufBuilder tied;
  tied.text("general.architecture", "x").tensor("token_embd.weight", {64, 64}, kQ4_0, kMatrixQ4_0);
  GgufBuilder untied = tied;
  untied.tensor("output.weight", {64, 64}, 0, 64 * 64 * 4);
  const CpuVectors avx2{.avx2 = true, .avx512 = false};
  EXPECT_EQ(expect_repacked_bytes(*parse_gguf_header(tied.build(), tied.file_bytes()), avx2),
            kMatrixQ4_0);
  EXPECT_EQ(expect_repacked_bytes(*parse_gguf_header(untied.build(), untied.file_bytes()), avx2),
            0U);
}

TEST(GgufHeader, RowsThatDoNotDivideByEightStayInTheFile) {
  GgufBuilder builder;
  builder.text("general.architecture", "x").tensor("a.weight", {64, 12}, kQ4_0, 64 * 12 / 32 * 18);
  const auto header = parse_gguf_header(builder.build(), builder.file_bytes());
  EXPECT_EQ(expect_repacked_bytes(*header, {.avx2 = true, .avx512 = true}), 0U);
}

TEST(GgufHeader, UnknownTensorTypeIsNamedByNumber) {
  EXPECT_EQ(gguf_type_name(3), "Q4_1");
  EXPECT_EQ(gguf_type_name(99), "type 99");
}

TEST(GgufHeader, RefusesWhatIsNoGguf) {
  for (const std::string_view bytes : {"", "GGU", "GGML....", "PK\x03\x04zip"}) {
    const auto header = parse_gguf_header(bytes, bytes.size());
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().code, ErrorCode::malformed);
    EXPECT_NE(header.error().what.find("not a GGUF file"), std::string::npos);
  }
}

TEST(GgufHeader, RefusesAnUnknownVersion) {
  const auto builder = small_llama(kQ4_1, kMatrixQ4_1);
  const auto header = parse_gguf_header(builder.build(7), builder.file_bytes());
  ASSERT_FALSE(header);
  EXPECT_NE(header.error().what.find("version 7"), std::string::npos);
}

TEST(GgufHeader, EveryCutOfTheHeaderIsRefused) {
  const auto builder = small_llama(kQ4_1, kMatrixQ4_1);
  const std::string whole = builder.build();
  for (std::size_t cut = 4; cut < whole.size(); ++cut) {
    const auto truncated = parse_gguf_header(std::string_view(whole).substr(0, cut), cut);
    ASSERT_FALSE(truncated) << cut;
    EXPECT_EQ(truncated.error().code, ErrorCode::malformed) << cut;
    const auto piece =
        parse_gguf_header(std::string_view(whole).substr(0, cut), builder.file_bytes());
    ASSERT_FALSE(piece) << cut;
    EXPECT_EQ(piece.error().code, ErrorCode::exhausted) << cut;
  }
}

TEST(GgufHeader, FileThatEndsBeforeItsWeightsIsTruncated) {
  const auto builder = small_llama(kQ4_1, kMatrixQ4_1);
  const auto header = parse_gguf_header(builder.build(), builder.file_bytes() - 64);
  ASSERT_FALSE(header);
  EXPECT_NE(header.error().what.find("truncated"), std::string::npos);
}

TEST(GgufHeader, AbsurdCountsAreRefusedAtOnce) {
  std::string bytes = "GGUF";
  bytes += std::string("\x03\0\0\0", 4);
  bytes += std::string(8, '\xff');
  bytes += std::string(8, '\0');
  const auto header = parse_gguf_header(bytes, 1U << 30);
  ASSERT_FALSE(header);
  EXPECT_NE(header.error().what.find("claims"), std::string::npos);
}

TEST(GgufHeader, TensorLargerThanAnyFileIsRefused) {
  GgufBuilder builder;
  builder.text("general.architecture", "x").tensor("big", {1ULL << 40, 1ULL << 40}, 0, 0);
  const auto header = parse_gguf_header(builder.build(), builder.file_bytes());
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code, ErrorCode::malformed);
}

TEST(GgufHeader, HeaderWithoutArchitectureIsRefused) {
  GgufBuilder builder;
  builder.text("general.name", "nobody");
  EXPECT_FALSE(parse_gguf_header(builder.build(), builder.file_bytes()));
}

TEST(GgufFile, ReadsAHeaderLongerThanTheFirstPiece) {
  GgufBuilder builder;
  builder.list_of_texts("tokenizer.ggml.tokens", 200'000).text("general.architecture", "llama");
  const auto path = std::filesystem::temp_directory_path() /
                    ("kvpsi_gguf_long_" + std::to_string(getpid()) + ".gguf");
  std::ofstream(path, std::ios::binary) << builder.build_file();
  const auto file = read_gguf_file(path.string());
  std::filesystem::remove(path);
  ASSERT_TRUE(file) << describe(file.error());
  EXPECT_EQ(file->header.architecture, "llama");
  EXPECT_EQ(file->file_bytes, builder.file_bytes());
}

TEST(GgufFile, SaysWhichFileIsMissingOrNoFile) {
  const auto missing = read_gguf_file("/nonexistent/model.gguf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_EQ(missing.error().path, "/nonexistent/model.gguf");
  const auto folder = read_gguf_file("/tmp");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::malformed);
}

TEST(GgufFile, ReadsTheTestModelWhereItIsInstalled) {
  if (!std::filesystem::exists(KVPSI_TEST_MODEL)) GTEST_SKIP() << "no " << KVPSI_TEST_MODEL;
  const auto file = read_gguf_file(KVPSI_TEST_MODEL);
  ASSERT_TRUE(file) << describe(file.error());
  EXPECT_EQ(file->header.architecture, "llama");
  EXPECT_EQ(kv_bytes_per_token(file->header), 23040U);  // 22.5 KiB
  EXPECT_EQ(expect_repacked_bytes(file->header, {.avx2 = true, .avx512 = true}), 0U);
}

}  // namespace
}  // namespace kvpsi
