// SPDX-License-Identifier: MIT
// SpillFile: the SpillStore on a real disk. One private file without a name, written past the page
// cache, so that spilling does not fill the memory it empties; every block carries a checksum of
// its bytes, its identity and its place. Must not know what the blocks are, nor wait under its
// mutex. Next hops: spill_place.h (where), extent_set.h (space), spill_io.h (calls).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "govern/ports.h"
#include "linux/extent_set.h"
#include "linux/private_file.h"
#include "linux/psi_file.h"
#include "linux/spill_day.h"
#include "linux/spill_io.h"
#include "linux/spill_pace.h"
#include "linux/spill_place.h"

namespace kvpsi {

/// Where to spill and how much.
struct SpillFileOptions {
  std::string directory;  ///< see default_spill_directory
  /// Most that is held; cut at opening to half of what is free on the disk.
  std::uint64_t budget_bytes = std::uint64_t{8} << 30;
  /// Most written a day (UTC) to this directory by all processes together; 0 = no limit.
  std::uint64_t daily_bytes = 0;
  SpillPlaceRules place;
  /// Whose pressure slows writing down (spill_pace.h): of the own group where it has one. Empty or
  /// unreadable: nobody's.
  std::string io_pressure = "/proc/pressure/io";
};

/// All calls from any thread, several at once; `io` must outlive the store. What is held is charged
/// in units of kAlignment. After 4 writes in a row that the device failed, it takes no more and has
/// no room; what is held can still be read.
class SpillFile final : public SpillStore {
 public:
  /// Errors: those of check_spill_directory and open_private_file; of the daily count.
  static Result<std::unique_ptr<SpillFile>> open(const SpillFileOptions& options,
                                                 SpillIo& io = system_spill_io());

  Result<SpillBlock> write(const SpillIdentity& identity, std::span<std::byte> buffer,
                           std::uint64_t bytes) override;
  Result<void> read(const SpillBlock& block, std::span<std::byte> buffer) override;
  void erase(const SpillBlock& block) override;

  /// Punches a hole of at most 64 MiB; where the file system has no holes, cuts the file's end off.
  bool return_space() override;

  std::uint64_t pause_us() override;
  std::uint64_t room_bytes() override;
  SpillUse use() const override;

  /// True while reads and writes pass the page cache by.
  bool is_direct() const { return is_direct_.load(std::memory_order_relaxed); }

  /// For tests that damage the file. Stays the store's.
  int fd() const { return fd_.get(); }

 private:
  SpillFile(const SpillFileOptions& options, SpillIo& io, PrivateFile file, SpillDay day);

  Result<Extent> take_extent(std::uint64_t bytes);
  Result<void> charge_day(std::uint64_t bytes);
  void free_extent(const Extent& extent);
  Result<void> transfer_out(std::span<const std::byte> from, const Extent& extent);
  Result<void> transfer_in(std::span<std::byte> into, const Extent& extent);
  void give_up_direct();
  void free_failed(const Extent& extent, ErrorCode code);
  void note_write(std::uint64_t began_us, std::uint64_t bytes);
  void cut_tail();
  std::optional<std::uint64_t> some_stall_us_total();
  std::uint64_t disk_room_bytes(std::uint64_t erased_bytes);
  Error error(ErrorCode code, std::string what, int errno_value = 0) const;

  const std::string directory_;
  const std::optional<std::uint64_t> keep_free_bytes_;
  const std::uint64_t daily_bytes_;
  const std::uint64_t budget_bytes_;
  SpillIo& io_;
  UniqueFd fd_;
  std::atomic<bool> is_direct_;

  mutable std::mutex mutex_;  ///< the books below; never held over a transfer
  ExtentSet free_;            ///< all that is not held, up to the largest file
  ExtentSet erased_;          ///< of that, what still has blocks on the disk
  std::uint64_t held_extent_bytes_ = 0;
  std::uint64_t writes_running_ = 0;
  unsigned failures_in_a_row_ = 0;
  bool has_holes_ = true;  ///< the file system can punch them
  SpillUse use_;

  std::mutex day_mutex_;
  SpillDay day_;

  std::mutex pace_mutex_;
  std::optional<PsiFile> pressure_;
  SpillPace pace_;
};

}  // namespace kvpsi
