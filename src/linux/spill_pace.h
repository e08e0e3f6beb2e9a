// SPDX-License-Identifier: MIT
// SpillPace: how fast spilling may write while others wait for the same disk. Our own writing
// always shows as I/O stall, so others are looked for in the gaps between writes only: a gap of 4 %
// is left after each write, and of every 20 ms of gaps the share is taken in which anybody stalled.
// Over 20 %: the rate halves, down to a quarter of what the disk gave; under 5 %: it grows again by
// a quarter until it no longer binds. Must not sleep. Next hop: SpillStore::pause_us.
#pragma once

#include <cstdint>
#include <optional>

namespace kvpsi {

/// A pure rule over times and stall totals in microseconds. Not thread-safe.
class SpillPace {
 public:
  static constexpr std::uint64_t kLongestPauseUs = 1'000'000;

  /// A write of `bytes` ends now after `took_us`; `some_us_total` of io pressure, if it is known.
  void on_written(std::uint64_t now_us, std::uint64_t took_us, std::uint64_t bytes,
                  std::optional<std::uint64_t> some_us_total);

  /// How long the next write should still wait. Never more than kLongestPauseUs after the last.
  std::uint64_t pause_us(std::uint64_t now_us, std::optional<std::uint64_t> some_us_total);

  /// Bytes/s allowed; empty: as fast as the disk goes.
  std::optional<double> rate() const { return rate_; }

 private:
  static constexpr std::uint64_t kGapUs = 20'000;
  static constexpr std::uint64_t kForgetUs = 10'000'000;

  void judge();

  double disk_rate_ = 0;  ///< bytes/s that the last writes had
  std::optional<double> rate_;
  std::uint64_t ended_us_ = 0;
  std::uint64_t took_us_ = 0;
  std::uint64_t written_bytes_ = 0;  ///< by the last write; 0 = there was none
  std::uint64_t seen_us_ = 0;
  std::optional<std::uint64_t> seen_some_us_;
  std::uint64_t gap_us_ = 0;
  std::uint64_t gap_stall_us_ = 0;
};

}  // namespace kvpsi
