// SPDX-License-Identifier: MIT
// A saved sequence of every kind of cache is as long as is said, to the byte; where any of it is
// missing the load is refused, and the process and the context live on.
#include "llama/state_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "llama/attached.h"
#include "llama/governed_state.h"
#include "model_fixture.h"

namespace kvpsi {
namespace {

using namespace testing;

std::vector<StatePart> parts_of(const Context& context) {
  std::vector<StatePart> out;
  for (const auto& part : find_attached(context.get())->kv()->parts()) {
    out.push_back({part->layout().tensors, part->layout().row_bytes_per_cell});
  }
  return out;
}

class StateFile : public ::testing::TestWithParam<Kind> {
 protected:
  // Kinds are tested beside each other.
  StateFile() : path_(::testing::TempDir() + "kvpsi-state-file-" + GetParam().name) {}
  ~StateFile() override { std::filesystem::remove(path_); }

  std::size_t load(const Context& context) {
    std::vector<llama_token> tokens(64);
    std::size_t count = 0;
    return llama_state_seq_load_file(context.get(), path_.c_str(), 0, tokens.data(), tokens.size(),
                                     &count);
  }

  const std::string path_;
};

TEST_P(StateFile, IsCutShortFromItsLastByteOn) {
  KVPSI_NEED_MODEL();
  const Context context = make_context(test_model(), GetParam(), 512, true);
  const auto governed = GovernedContext::attach(test_model(), context.get(), {}).value();
  Prng prng(1);
  const auto tokens = random_tokens(prng, 40);
  ASSERT_EQ(decode(context.get(), tokens), 0);
  const std::size_t size =
      llama_state_seq_save_file(context.get(), path_.c_str(), 0, tokens.data(), tokens.size());
  ASSERT_EQ(size, std::filesystem::file_size(path_));
  const auto parts = parts_of(context);
  EXPECT_FALSE(is_cut_short(path_, parts));
  EXPECT_EQ(load(context), size);
  std::ofstream(path_, std::ios::app) << "a note behind it";
  EXPECT_FALSE(is_cut_short(path_, parts));
  const bool is_whole = GetParam().flash != LLAMA_FLASH_ATTN_TYPE_DISABLED;  // else K alone counts
  for (const std::size_t left :
       {is_whole ? size - 1 : size / 3, size / 20, std::size_t{200}, std::size_t{13}}) {
    std::filesystem::resize_file(path_, left);
    EXPECT_TRUE(is_cut_short(path_, parts)) << left;
    EXPECT_EQ(load(context), 0u) << left;
  }
  EXPECT_EQ(decode(context.get(), {tokens.data(), 1}), 0) << "the sequence is as it was";
}

INSTANTIATE_TEST_SUITE_P(Kinds, StateFile, ::testing::ValuesIn(kAllKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(NoStateFile, IsNotCutShort) {
  const std::vector<StatePart> parts{{60, 23'040}};
  EXPECT_FALSE(is_cut_short("/nonexistent", parts));
  EXPECT_FALSE(is_cut_short("/proc/version", parts));
  const std::string path = ::testing::TempDir() + "kvpsi-no-state-file";
  std::ofstream(path, std::ios::binary) << "GGUF and more";
  EXPECT_FALSE(is_cut_short(path, parts));
  std::filesystem::resize_file(path, 0);
  EXPECT_FALSE(is_cut_short(path, parts));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace kvpsi
