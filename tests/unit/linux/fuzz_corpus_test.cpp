// SPDX-License-Identifier: MIT
// The fuzz targets over their corpus, and over every cut and many one-byte changes of it: the
// parsers are exercised on bad input with any compiler, not only where libFuzzer is.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/prng.h"
#include "fuzz/linux_targets.h"

namespace kvpsi {
namespace {

struct Target {
  const char* name;
  void (*run)(std::string_view);
};

class FuzzCorpus : public testing::TestWithParam<Target> {};

std::vector<std::string> read_corpus(const std::string& name) {
  std::vector<std::string> inputs;
  const std::string dir = std::string(KVPSI_SOURCE_DIR) + "/tests/fuzz/corpus/" + name;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    std::ifstream file(entry.path(), std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

TEST_P(FuzzCorpus, HoldsForTheCorpusItsCutsAndItsMutants) {
  const auto inputs = read_corpus(GetParam().name);
  ASSERT_GE(inputs.size(), 3u);
  Prng random(20240607);
  for (const std::string& input : inputs) {
    GetParam().run(input);
    const std::size_t step = input.size() / 400 + 1;
    for (std::size_t cut = 0; cut < input.size(); cut += step) {
      GetParam().run(std::string_view(input).substr(0, cut));
    }
    for (int i = 0; i < 400 && !input.empty(); ++i) {
      std::string mutant = input;
      mutant[random.below(mutant.size())] = static_cast<char>(random.below(256));
      GetParam().run(mutant);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzCorpus,
                         testing::Values(Target{"psi", fuzz::try_psi},
                                         Target{"proc_files", fuzz::try_proc_files},
                                         Target{"group_files", fuzz::try_group_files},
                                         Target{"mountinfo", fuzz::try_mountinfo},
                                         Target{"pressure_watch", fuzz::try_pressure_watch},
                                         Target{"smaps", fuzz::try_smaps}),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace kvpsi
