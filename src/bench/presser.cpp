// SPDX-License-Identifier: MIT
// The closed loop of the pressure generator; its memory is in press_memory. See presser.h.
#include "bench/presser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/press_memory.h"

namespace kvpsi {
namespace {

Result<void> check_options(const PressOptions& options) {
  const auto refuse = [](std::string what) {
    return fail(ErrorCode::invalid_argument, std::move(what));
  };
  if (options.anon_bytes == 0 && options.file_bytes == 0 && options.file.empty()) {
    return refuse("nothing to press with: give --mib, --file-mib or --file");
  }
  if (!(options.for_s > 0) || options.for_s > kPressMostSeconds) {
    return refuse(fmt::format("--for {} is out of bounds: 0 to {:.0f} seconds", options.for_s,
                              kPressMostSeconds));
  }
  if (options.step_bytes > 0 && !(options.step_s >= 0)) return refuse("--step-s is negative");
  if (options.force || !options.available_bytes) return {};
  const std::uint64_t wanted = options.anon_bytes + options.file_bytes;
  if (wanted > *options.available_bytes) {
    return refuse(
        fmt::format("{} is more than there is to take now ({}): take less, or say --force",
                    format_bytes(wanted), format_bytes(*options.available_bytes)));
  }
  return {};
}

/// How much of `total` is in use after `elapsed_s`; grows by a step each `step_s`.
std::uint64_t grown_bytes(const PressOptions& options, std::uint64_t total, double elapsed_s) {
  if (options.step_bytes == 0 || total == 0) return total;
  const double steps = options.step_s > 0 ? elapsed_s / options.step_s : 1e18;
  const auto bytes =
      (std::floor(std::min(steps, 1e9)) + 1) * static_cast<double>(options.step_bytes);
  return bytes >= static_cast<double>(total) ? total : static_cast<std::uint64_t>(bytes);
}

class Presser {
 public:
  Presser(const PressOptions& options, AnonMemory anon, FileMemory file)
      : options_(options), anon_(std::move(anon)), file_(std::move(file)) {}

  Result<PressSummary> run(const std::function<bool()>& stop,
                           const std::function<void()>& on_ready) {
    const std::uint64_t begin_us = monotonic_us();
    const auto end_us = begin_us + static_cast<std::uint64_t>(options_.for_s * 1e6);
    bool ready = false;
    while (monotonic_us() < end_us && !summary_.stopped) {
      const std::uint64_t round_us = monotonic_us();
      const bool whole = grow(static_cast<double>(round_us - begin_us) / 1e6);
      if (auto done = work(stop, end_us); !done) return std::unexpected(done.error());
      if (summary_.stopped || monotonic_us() >= end_us) break;
      note_round(round_us);
      if (whole && !ready) {
        ready = true;
        on_ready();
      }
    }
    summary_.seconds = static_cast<double>(monotonic_us() - begin_us) / 1e6;
    summary_.anon_bytes = anon_in_use_;
    summary_.file_bytes = file_.bytes();
    return std::move(summary_);
  }

 private:
  /// True when everything asked for is in use.
  bool grow(double elapsed_s) {
    const std::uint64_t before = anon_in_use_;
    anon_in_use_ = grown_bytes(options_, anon_.bytes(), elapsed_s);
    touch_from_ = options_.hot ? 0 : before;
    return anon_in_use_ == anon_.bytes();
  }

  /// One round in pieces, so that a stop is seen within milliseconds even when every page stalls.
  Result<void> work(const std::function<bool()>& stop, std::uint64_t end_us) {
    const auto must_end = [&] {
      summary_.stopped = summary_.stopped || stop();
      return summary_.stopped || monotonic_us() >= end_us;
    };
    for (std::uint64_t at = touch_from_; at < anon_in_use_ && !must_end(); at += kPieceBytes) {
      anon_.touch(at, std::min(kPieceBytes, anon_in_use_ - at));
    }
    for (std::uint64_t at = 0; at < file_.bytes() && !must_end(); at += kPieceBytes) {
      if (auto done = file_.read(at, std::min(kPieceBytes, file_.bytes() - at)); !done) return done;
    }
    // A cold presser with nothing new to touch would count empty rounds at full speed.
    if (touch_from_ == anon_in_use_ && file_.bytes() == 0) wait_a_little();
    return {};
  }

  void note_round(std::uint64_t begin_us) {
    const std::uint64_t now = monotonic_us();
    ++summary_.rounds_total;
    if (summary_.rounds.size() < kPressMostRounds) {
      summary_.rounds.push_back({now, now - begin_us});
    }
  }

  static constexpr std::uint64_t kPieceBytes = 4 * kMiB;
  const PressOptions& options_;
  AnonMemory anon_;
  FileMemory file_;
  PressSummary summary_;
  std::uint64_t anon_in_use_ = 0;
  std::uint64_t touch_from_ = 0;
};

}  // namespace

Result<PressSummary> run_presser(const PressOptions& options, const std::function<bool()>& stop,
                                 const std::function<void()>& on_ready) {
  if (auto checked = check_options(options); !checked) return std::unexpected(checked.error());
  auto file = FileMemory::open(options, stop);
  if (!file) return std::unexpected(file.error());
  auto anon = AnonMemory::reserve(options.anon_bytes);
  if (!anon) return std::unexpected(anon.error());
  Presser presser(options, std::move(*anon), std::move(*file));
  return presser.run(stop, on_ready);
}

}  // namespace kvpsi
