// SPDX-License-Identifier: MIT
// From the records of one run to the curves of a plot: stall share, memory by kind, tokens a
// second, actions. Pure arithmetic on what was recorded; draws nothing and invents nothing: what
// was not measured is an empty optional. Next hop: plot_script draws the curves.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/tick.h"
#include "report/run_summary.h"

namespace kvpsi {

/// One tick of the journal. Seconds count from the start of decoding; loading and prefill are
/// negative.
struct MemoryPoint {
  double t_s = 0;
  std::optional<double> stall_pct;  ///< own `some` share since half a second before
  double weights_mib = 0;           ///< file-backed resident
  double kv_mib = 0;
  double spilled_mib = 0;  ///< KV on disk, not in memory
  double scratch_mib = 0;
  double other_mib = 0;  ///< anonymous memory that is neither
  std::optional<double> limit_mib;
};

struct TokenPoint {
  double t_s = 0;
  double tok_s = 0;
};

/// Memory that came back, or context that went, at one moment.
struct ActionPoint {
  double t_s = 0;
  double released_mib = 0;
  std::uint64_t tokens_trimmed = 0;
};

struct PlotSeries {
  std::vector<MemoryPoint> memory;
  std::vector<TokenPoint> tokens;
  std::vector<ActionPoint> actions;
  /// True where no pool reported and KV is taken from the summary: stock llama.cpp commits all of
  /// it at creation and never gives any back, so its size at the end is its size all along.
  bool kv_from_summary = false;
};

/// Least time over which a stall share is taken; shorter ones are noise of the kernel's flushes.
inline constexpr std::uint64_t kStallWindowUs = 500'000;
/// Tokens are counted over this much time.
inline constexpr std::uint64_t kTokenBinUs = 1'000'000;

PlotSeries make_series(std::span<const Tick> ticks, const RunSummary& summary);

/// Tab-separated text with a comment line that names the columns; "nan" for what was not measured.
std::string memory_tsv(const PlotSeries& series);
std::string tokens_tsv(const PlotSeries& series);
std::string actions_tsv(const PlotSeries& series);

}  // namespace kvpsi
