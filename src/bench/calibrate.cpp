// SPDX-License-Identifier: MIT
// See calibrate.h.
#include "bench/calibrate.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "bench/out_dir.h"
#include "policy/arith.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kMeasuringTokens = 16;
constexpr std::uint64_t kPage = 4096;
/// Nothing squeezes this run: if it is slow, the machine is.
constexpr double kMeasuringMostSeconds = 600;

Result<TrialOutcome> measure(const TrialHost& host, RunSpec engine, const PressSpec& spec,
                             Variant variant, Squeeze squeeze) {
  engine.variant = variant;
  engine.n_predict = kMeasuringTokens;
  engine.then_tokens = 0;
  engine.linger_s = 0;
  engine.prompts_file = host.out_dir + "/prompts-measure.jsonl";
  if (auto wrote = write_prompts(engine); !wrote) return std::unexpected(wrote.error());
  TrialJob job;
  job.run.variant = variant;
  job.run.squeeze = squeeze;
  job.engine = engine;
  job.neighbour = spec;
  job.prefill_most_s = kMeasuringMostSeconds;
  job.stem = fmt::format("measure-{}-{}", name(squeeze), name(variant));
  auto outcome = run_trial(host, job);
  if (!outcome) return outcome;
  if (outcome->trial.exit != "ok" || !outcome->summary) {
    return fail(ErrorCode::io,
                fmt::format("the measuring run of {} ended with '{}'{}{}", name(variant),
                            outcome->trial.exit, outcome->notes.empty() ? "" : ": ",
                            outcome->notes.empty() ? "" : outcome->notes.front()));
  }
  if (outcome->trial.peak_bytes == 0) {
    return fail(ErrorCode::unsupported,
                "this kernel does not tell the peak usage of a group (Linux 5.19 does): give "
                "--limit-mib");
  }
  return outcome;
}

}  // namespace

std::uint64_t page_share(double share, std::uint64_t bytes) {
  const auto part = static_cast<std::uint64_t>(share * static_cast<double>(bytes));
  return part / kPage * kPage;
}

std::uint64_t limit_s1(std::uint64_t fixed_peak_bytes) {
  return page_share(kS1Share, fixed_peak_bytes);
}

std::uint64_t limit_below_floor(const SqueezeContext& measured) {
  return page_share(kFloorShare, measured.weights_bytes + measured.base_bytes +
                                     measured.live_kv_bytes + measured.neighbour_bytes);
}

std::uint64_t limit_reference(std::uint64_t fixed_alone_peak_bytes, std::uint64_t neighbour_bytes) {
  return neighbour_bytes / kPage * kPage + page_share(kS1Share, fixed_alone_peak_bytes);
}

void fill_floor(const EngineSummary& summary, std::uint64_t tokens, SqueezeContext& context) {
  context.weights_bytes = summary.weights_file_bytes + summary.weights_anon_bytes;
  context.base_bytes = minus(summary.rss_anon_bytes, summary.at_end.kv_resident_bytes +
                                                         summary.scratch_resident_bytes +
                                                         summary.weights_anon_bytes);
  context.live_kv_bytes = tokens * summary.kv_bytes_per_cell;
}

Result<double> calibrate(const TrialHost& host, const RunSpec& engine, const PressSpec& neighbour,
                         std::uint64_t override_bytes, SqueezeContext& context) {
  if (override_bytes > 0) {
    context.limit_rule = "given by --limit-mib";
    context.limit_bytes = override_bytes;
    context.neighbour_bytes = neighbour.bytes();
    return 0;
  }
  const bool is_floor = context.squeeze == Squeeze::s2 || context.squeeze == Squeeze::s3;
  const bool is_reference = context.squeeze == Squeeze::reference;
  const auto measured = measure(host, engine, is_reference ? PressSpec() : neighbour,
                                is_floor ? Variant::release_only : Variant::fixed, context.squeeze);
  if (!measured) return std::unexpected(measured.error());
  const double seconds = measured->trial.load_s + measured->trial.prefill_s;
  fill_floor(*measured->summary, live_tokens(engine), context);
  context.neighbour_bytes = is_reference ? neighbour.bytes() : measured->neighbour_bytes;
  if (is_floor) {
    context.limit_rule = fmt::format("{} x (weights + base + {}live KV + neighbour), measured",
                                     kFloorShare, engine.tenants > 1 ? "all " : "");
    context.limit_bytes = limit_below_floor(context);
    return seconds;
  }
  context.fixed_peak_bytes = measured->trial.peak_bytes;
  if (is_reference) {
    context.limit_rule = fmt::format("neighbour + {} x peak of fixed alone, measured", kS1Share);
    context.limit_bytes = limit_reference(context.fixed_peak_bytes, context.neighbour_bytes);
  } else {
    context.limit_rule = fmt::format("{} x peak of fixed with the neighbour, measured", kS1Share);
    context.limit_bytes = limit_s1(context.fixed_peak_bytes);
  }
  return seconds;
}

}  // namespace kvpsi
