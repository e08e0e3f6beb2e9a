// SPDX-License-Identifier: MIT
// What tests of spilling need: a directory on a real disk, page-aligned buffers, and system calls
// that can be made short or failing one by one. Next hop: spill_file_test, cold_range_test.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "base/prng.h"
#include "linux/spill_file.h"

namespace kvpsi::test {

/// A fresh directory where spilling is allowed, removed with the object; empty where the machine
/// has no disk for it.
class DiskDir {
 public:
  DiskDir() {
    SpillPlaceRules rules;
    rules.allow_flash = true;
    const auto base = default_spill_directory(rules);
    if (!base) return;
    path_ = *base + "/kvpsi-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  DiskDir(const DiskDir&) = delete;
  DiskDir& operator=(const DiskDir&) = delete;
  ~DiskDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  bool exists() const { return !path_.empty(); }
  const std::string& path() const { return path_; }
  bool is_empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::string path_;
};

/// A buffer on a page border.
class PageBuffer {
 public:
  explicit PageBuffer(std::uint64_t bytes)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(SpillStore::kAlignment, bytes)),
                &std::free),
        bytes_(bytes) {}
  std::span<std::byte> span() const { return {memory_.get(), bytes_}; }
  void fill(Prng& random) const {
    for (std::byte& byte : span()) byte = static_cast<std::byte>(random.next());
  }

 private:
  std::unique_ptr<std::byte, decltype(&std::free)> memory_;
  std::uint64_t bytes_;
};

/// System calls with a say: `rule` sees each call and the bytes it asks for.
class FaultyIo final : public SpillIo {
 public:
  enum class Call : std::uint8_t { open, write, read, punch, truncate, sync, drop };
  /// Empty: the real call. Negative: fails with that errno. Positive: the real call, of that many
  /// bytes only. Zero: nothing happens and 0 is returned.
  using Rule = std::function<std::optional<long>(Call, std::size_t)>;

  Rule rule;
  std::optional<DiskSpace> space;  ///< instead of the real one

  int open_unnamed(const char* directory, int flags) override {
    const auto say = ask(Call::open, 0);
    return say ? refuse(*say) : SpillIo::open_unnamed(directory, flags);
  }
  ssize_t write_at(int fd, std::span<const std::byte> from, std::uint64_t offset) override {
    const auto say = ask(Call::write, from.size());
    if (say && *say <= 0) return refuse(*say);
    return SpillIo::write_at(fd, say ? from.first(static_cast<std::size_t>(*say)) : from, offset);
  }
  ssize_t read_at(int fd, std::span<std::byte> into, std::uint64_t offset) override {
    const auto say = ask(Call::read, into.size());
    if (say && *say <= 0) return refuse(*say);
    return SpillIo::read_at(fd, say ? into.first(static_cast<std::size_t>(*say)) : into, offset);
  }
  int punch(int fd, std::uint64_t offset, std::uint64_t bytes) override {
    const auto say = ask(Call::punch, bytes);
    return say ? refuse(*say) : SpillIo::punch(fd, offset, bytes);
  }
  int truncate(int fd, std::uint64_t bytes) override {
    const auto say = ask(Call::truncate, bytes);
    return say ? refuse(*say) : SpillIo::truncate(fd, bytes);
  }
  int sync_range(int fd, std::uint64_t offset, std::uint64_t bytes) override {
    const auto say = ask(Call::sync, bytes);
    return say ? refuse(*say) : SpillIo::sync_range(fd, offset, bytes);
  }
  int drop_cached(int fd, std::uint64_t offset, std::uint64_t bytes) override {
    const auto say = ask(Call::drop, bytes);
    return say ? refuse(*say) : SpillIo::drop_cached(fd, offset, bytes);
  }
  std::optional<DiskSpace> disk_space(int fd) override {
    return space ? space : SpillIo::disk_space(fd);
  }

 private:
  std::optional<long> ask(Call call, std::size_t bytes) const {
    return rule ? rule(call, bytes) : std::nullopt;
  }
  static int refuse(long say) {
    errno = static_cast<int>(-say);
    return say < 0 ? -1 : 0;
  }
};

}  // namespace kvpsi::test
