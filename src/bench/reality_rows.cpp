// SPDX-License-Identifier: MIT
// See reality_rows.h.
#include "bench/reality_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/bytes.h"
#include "bench/stats.h"

namespace kvpsi {
namespace {

using Getter = std::function<std::optional<double>(const SqueezeTimes&)>;

struct Spread {
  double median = 0;
  double lo = 0;
  double hi = 0;
};

Spread find_spread(std::span<const double> values) {
  if (values.empty()) return {};
  const auto [lo, hi] = std::ranges::minmax(values);
  return {median(values), lo, hi};
}

void set_real(RealityRow& row, std::span<const double> values) {
  const Spread spread = find_spread(values);
  row.n_real = static_cast<std::uint32_t>(values.size());
  row.real_median = spread.median;
  row.real_lo = spread.lo;
  row.real_hi = spread.hi;
}

void set_simulated(RealityRow& row, std::span<const double> values) {
  const Spread spread = find_spread(values);
  row.n_simulated = static_cast<std::uint32_t>(values.size());
  row.simulated_median = spread.median;
  row.simulated_lo = spread.lo;
  row.simulated_hi = spread.hi;
}

void judge_ratio(RealityRow& row, double band) {
  const bool is_in = row.ratio_lo >= 1 - band && row.ratio_hi <= 1 + band;
  const bool is_out = row.ratio_hi < 1 - band || row.ratio_lo > 1 + band;
  const bool median_in = row.ratio >= 1 - band && row.ratio <= 1 + band;
  row.verdict = is_in ? "within" : is_out ? "outside" : "inconclusive";
  row.words = fmt::format("the median is {} {:.0f} %{}", median_in ? "within" : "outside",
                          100 * band, is_in || is_out ? "" : ", its interval is on both sides");
}

std::vector<double> collect(std::span<const SqueezeTimes> all, const Getter& get) {
  std::vector<double> values;
  for (const SqueezeTimes& times : all) {
    if (const auto value = get(times)) values.push_back(*value);
  }
  return values;
}

/// The rows of one squeeze.
class Judge {
 public:
  Judge(SqueezeKind kind, std::span<const RealityRun> runs,
        const std::vector<SqueezeTimes>& simulated, std::uint64_t seed)
      : name_(name(kind)), simulated_(simulated), seed_(seed) {
    for (const RealityRun& run : runs) {
      if (run.kind == kind && run.counts()) real_.push_back(run.times);
    }
  }

  void add_rows(std::vector<RealityRow>& rows) const {
    if (real_.empty()) return;
    compare(rows, "first action after onset", "s", kFirstActionBand,
            [](const SqueezeTimes& t) { return t.first_action_s; });
    compare(rows, "first stall after onset", "s", 0,
            [](const SqueezeTimes& t) { return t.first_stall_s; });
    compare(rows, "own stall, onset to relief", "s", 0,
            [](const SqueezeTimes& t) { return std::optional(t.own_stall_s); });
    compare(rows, "bytes returned, onset to relief", "MiB", 0, [](const SqueezeTimes& t) {
      return std::optional(static_cast<double>(t.bytes_returned) / static_cast<double>(kMiB));
    });
    compare(rows, "tokens trimmed, onset to relief", "1", 0, [](const SqueezeTimes& t) {
      return std::optional(static_cast<double>(t.tokens_trimmed));
    });
    add_last_action(rows);
    add_full_size(rows);
  }

 private:
  void compare(std::vector<RealityRow>& rows, const char* metric, const char* unit, double band,
               const Getter& get) const {
    RealityRow row = compare_medians(collect(real_, get), collect(simulated_, get), band, seed_);
    label(row, metric, unit);
    rows.push_back(std::move(row));
  }

  void label(RealityRow& row, const char* metric, const char* unit) const {
    row.squeeze = name_;
    row.metric = metric;
    row.unit = unit;
  }

  void add_simulated(RealityRow& row, const Getter& get) const {
    set_simulated(row, collect(simulated_, get));
  }

  void add_last_action(std::vector<RealityRow>& rows) const {
    const Getter get = [](const SqueezeTimes& t) { return std::optional(t.last_action_s); };
    RealityRow row = judge_aim(collect(real_, get), 0, kLastActionAimSeconds);
    label(row, "last trim after relief", "s");
    add_simulated(row, get);
    rows.push_back(std::move(row));
  }

  /// Of those that reached high: the others have next to nothing to come back from.
  void add_full_size(std::vector<RealityRow>& rows) const {
    std::vector<double> values;
    std::uint32_t unknown = 0;
    std::uint32_t relapses = 0;
    for (const SqueezeTimes& times : real_) {
      if (times.highest_level < Level::high) continue;
      relapses += times.relapsed ? 1 : 0;
      if (times.full_size_s) {
        values.push_back(*times.full_size_s);
      } else if (times.followed_s >= kFullSizeAimSeconds) {
        values.push_back(times.followed_s);
      } else {
        ++unknown;
      }
    }
    RealityRow row = judge_aim(values, unknown, kFullSizeAimSeconds);
    label(row, "full size after relief from high", "s");
    add_simulated(row, [](const SqueezeTimes& t) {
      return t.highest_level >= Level::high ? t.full_size_s : std::nullopt;
    });
    if (relapses > 0) {
      row.verdict = "outside";
      row.words += fmt::format("; {} relapsed", relapses);
    }
    rows.push_back(std::move(row));
  }

  std::string name_;
  std::vector<SqueezeTimes> real_;
  const std::vector<SqueezeTimes>& simulated_;
  std::uint64_t seed_;
};

}  // namespace

std::string_view reality_rule() {
  return "within: the 95 % interval of the real median lies inside the band; outside: all of it "
         "lies beyond; else inconclusive. Aims: every run keeps to it; the median does not; else.";
}

RealityRow compare_medians(std::span<const double> real, std::span<const double> simulated,
                           double band, std::uint64_t seed) {
  RealityRow row;
  set_real(row, real);
  set_simulated(row, simulated);
  if (real.empty() || simulated.empty() || row.simulated_median <= 0) {
    if (band > 0) {
      row.verdict = "inconclusive";
      row.words =
          fmt::format("{} real and {} simulated runs have a value", real.size(), simulated.size());
    }
    return row;
  }
  row.ratio = row.real_median / row.simulated_median;
  if (const auto interval = bootstrap_median(real, seed)) {
    row.ratio_lo = interval->lo / row.simulated_median;
    row.ratio_hi = interval->hi / row.simulated_median;
  }
  if (band <= 0) return row;
  if (real.size() < kLeastRuns) {
    row.verdict = "inconclusive";
    row.words = fmt::format("{} runs are too few, {} are needed", real.size(), kLeastRuns);
    return row;
  }
  judge_ratio(row, band);
  return row;
}

RealityRow judge_aim(std::span<const double> values, std::uint32_t unknown, double aim) {
  RealityRow row;
  set_real(row, values);
  const auto over = std::ranges::count_if(values, [aim](double v) { return v > aim; });
  row.words = fmt::format("aim {:g} s: {} of {} over it", aim, over, values.size());
  if (unknown > 0) row.words += fmt::format(", {} not followed to the end of it", unknown);
  if (values.size() < kLeastRuns) {
    row.verdict = "inconclusive";
  } else if (row.real_median > aim) {
    row.verdict = "outside";
  } else {
    row.verdict = over == 0 && unknown == 0 ? "within" : "inconclusive";
  }
  return row;
}

std::vector<RealityRow> judge_reality(
    std::span<const RealityRun> runs,
    const std::map<SqueezeKind, std::vector<SqueezeTimes>>& simulated, std::uint64_t seed) {
  std::vector<RealityRow> rows;
  static const std::vector<SqueezeTimes> kNone;
  for (const SqueezeKind kind : kSqueezeKinds) {
    const auto found = simulated.find(kind);
    Judge(kind, runs, found == simulated.end() ? kNone : found->second, seed).add_rows(rows);
  }
  return rows;
}

std::vector<std::string> find_missing(std::span<const RealityRun> runs, std::uint32_t repetitions) {
  std::vector<std::string> missing;
  for (const SqueezeKind kind : kSqueezeKinds) {
    std::uint32_t counted = 0;
    for (const RealityRun& run : runs) {
      if (run.kind != kind) continue;
      counted += run.counts() ? 1 : 0;
      if (run.counts()) continue;
      missing.push_back(fmt::format("{} {} does not count: {}", name(kind), run.repetition,
                                    run.exit != "ok" ? run.exit : "not calm at its onset"));
    }
    if (counted < repetitions) {
      missing.push_back(fmt::format("{}: {} of {} repetitions", name(kind), counted, repetitions));
    }
  }
  return missing;
}

}  // namespace kvpsi
