// SPDX-License-Identifier: MIT
// See state_file.h. The format is that of llama_context::state_seq_save_file and
// llama_kv_cache::state_write in the pinned tree: numbers in the machine's order, and where a model
// keeps more for a cell (M-RoPE), it is longer than what is counted here.
#include "llama/state_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "llama-cparams.h"
#include "llama.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kNumber = sizeof(std::uint32_t);
constexpr std::uint64_t kCellBytes = 3 * kNumber;    // position, one, sequence
constexpr std::uint64_t kTensorBytes = 3 * kNumber;  // type, size of a row
constexpr std::uint32_t kMostStreams = LLAMA_MAX_SEQ;

/// The numbers of a file, one after the other; 0 behind its end.
class Numbers {
 public:
  explicit Numbers(const std::string& path) : file_(path, std::ios::binary) {}
  std::uint32_t next() {
    std::uint32_t value = 0;
    file_.read(reinterpret_cast<char*>(&value), kNumber);
    return file_ ? value : 0;
  }
  void go_to(std::uint64_t at) {
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(at));
  }

 private:
  std::ifstream file_;
};

/// Bytes of the part that begins at `at`: a sequence has its cells in one of the streams.
std::uint64_t find_part_bytes(Numbers& numbers, std::uint64_t at, const StatePart& part) {
  numbers.go_to(at);
  const std::uint32_t streams = std::min(numbers.next(), kMostStreams);
  std::uint64_t cells = 0;
  for (std::uint32_t i = 0; i < streams && cells == 0; ++i) cells = numbers.next();
  std::uint64_t bytes = kNumber + streams * kNumber;
  if (cells == 0) return bytes;
  bytes += 2 * kNumber + part.tensors * kTensorBytes;
  return bytes + cells * (kCellBytes + part.bytes_per_cell);
}

}  // namespace

bool is_cut_short(const std::string& path, std::span<const StatePart> parts) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) return false;
  Numbers numbers(path);
  if (numbers.next() != LLAMA_STATE_SEQ_MAGIC || numbers.next() != LLAMA_STATE_SEQ_VERSION) {
    return false;
  }
  const std::uint64_t tokens = numbers.next();
  std::uint64_t end = 3 * kNumber + tokens * sizeof(llama_token);
  for (const StatePart& part : parts) {
    if (end + kNumber > size) return true;
    end += find_part_bytes(numbers, end, part);
  }
  return end > size;
}

}  // namespace kvpsi
