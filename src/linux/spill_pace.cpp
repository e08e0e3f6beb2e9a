// SPDX-License-Identifier: MIT
// The rule of spill_pace.h.
#include "linux/spill_pace.h"

#include <algorithm>

namespace kvpsi {
namespace {

constexpr double kMuch = 0.20;
constexpr double kLittle = 0.05;
constexpr double kLeastShare = 0.25;  ///< of the disk's rate, so that relief never stops
constexpr std::uint64_t kGapDivisor = 25;

}  // namespace

void SpillPace::on_written(std::uint64_t now_us, std::uint64_t took_us, std::uint64_t bytes,
                           std::optional<std::uint64_t> some_us_total) {
  if (now_us - ended_us_ > kForgetUs) rate_.reset();
  const double rate =
      static_cast<double>(bytes) * 1e6 / static_cast<double>(std::max<std::uint64_t>(took_us, 1));
  disk_rate_ = disk_rate_ > 0 ? 0.75 * disk_rate_ + 0.25 * rate : rate;
  ended_us_ = seen_us_ = now_us;
  took_us_ = took_us;
  written_bytes_ = bytes;
  seen_some_us_ = some_us_total;
}

std::uint64_t SpillPace::pause_us(std::uint64_t now_us,
                                  std::optional<std::uint64_t> some_us_total) {
  if (written_bytes_ == 0 || !some_us_total || now_us - ended_us_ > kForgetUs) return 0;
  if (seen_some_us_ && now_us >= seen_us_ && *some_us_total >= *seen_some_us_) {
    gap_us_ += now_us - seen_us_;
    gap_stall_us_ += *some_us_total - *seen_some_us_;
  }
  seen_us_ = now_us;
  seen_some_us_ = some_us_total;
  if (gap_us_ >= kGapUs) judge();
  std::uint64_t pause_us = took_us_ / kGapDivisor;
  if (rate_) {
    const auto due_us =
        static_cast<std::uint64_t>(static_cast<double>(written_bytes_) * 1e6 / *rate_);
    pause_us = std::max(pause_us, due_us - std::min(due_us, took_us_));
  }
  const std::uint64_t ready_us = ended_us_ + std::min(pause_us, kLongestPauseUs);
  return ready_us > now_us ? ready_us - now_us : 0;
}

void SpillPace::judge() {
  const double share = static_cast<double>(gap_stall_us_) / static_cast<double>(gap_us_);
  gap_us_ = gap_stall_us_ = 0;
  if (share > kMuch) {
    rate_ = std::max(rate_.value_or(disk_rate_) / 2, disk_rate_ * kLeastShare);
  } else if (share < kLittle && rate_) {
    *rate_ *= 1.25;
    if (*rate_ > disk_rate_) rate_.reset();
  }
}

}  // namespace kvpsi
