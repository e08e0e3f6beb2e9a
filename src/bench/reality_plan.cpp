// SPDX-License-Identifier: MIT
// See reality_plan.h.
#include "bench/reality_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "base/bytes.h"
#include "bench/calibrate.h"
#include "policy/arith.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kRampStepBytes = 4 * kMiB;

/// The answer itself grows by a MiB a second: what releasing makes room for is used up in seconds.
constexpr double kLosslessHoldSeconds = 4;
constexpr double kHoldSeconds = 12;

}  // namespace

Result<SqueezeKind> parse_squeeze_kind(std::string_view text) {
  std::string known;
  for (const SqueezeKind kind : kSqueezeKinds) {
    if (name(kind) == text) return kind;
    known += (known.empty() ? "" : ", ") + std::string(name(kind));
  }
  return fail(ErrorCode::malformed,
              "'" + std::string(text) + "' is not a squeeze: there are " + known);
}

double RealityPlan::ramp_s() const {
  if (ramp_step_bytes == 0) return 0;
  const auto steps =
      std::ceil(static_cast<double>(neighbour_bytes) / static_cast<double>(ramp_step_bytes));
  return steps * ramp_step_s;
}

double find_onset_phase(std::uint32_t repetition, std::uint32_t repetitions) {
  // Steps of about the golden section, without a common divisor: every place comes once.
  constexpr double kGoldenShare = 0.618;
  auto step = static_cast<std::uint64_t>(kGoldenShare * repetitions) + 1;
  while (std::gcd(step, std::uint64_t{repetitions}) != 1) ++step;
  const std::uint64_t place = repetition * step % repetitions;
  return (static_cast<double>(place) + 0.5) / static_cast<double>(repetitions);
}

RealityPlan make_reality_plan(SqueezeKind kind, const RealitySizes& sizes) {
  const std::uint64_t live = sizes.onset_tokens * sizes.bytes_per_token;
  const std::uint64_t with_full_cache =
      minus(sizes.used_bytes, live) + sizes.n_ctx * sizes.bytes_per_token;
  RealityPlan plan;
  plan.kind = kind;
  plan.hold_s = kHoldSeconds;
  plan.limit_bytes = page_share(kRoomShare, with_full_cache);
  if (kind == SqueezeKind::limit_lowered) {
    plan.lowered_limit_bytes = page_share(kLossyShare, sizes.used_bytes);
    return plan;
  }
  const bool is_lossy = kind != SqueezeKind::step_lossless;
  const std::uint64_t needed = is_lossy ? page_share(1 / kLossyShare, plan.limit_bytes)
                                        : plan.limit_bytes + sizes.scratch_bytes / 2;
  // The neighbour takes whole MiB; the limit takes up the rest.
  const std::uint64_t others = sizes.used_bytes + sizes.neighbour_overhead_bytes;
  const std::uint64_t wanted = minus(needed, others);
  const std::uint64_t whole = wanted / kMiB * kMiB;
  plan.neighbour_bytes = std::max(kMiB, whole);
  plan.limit_bytes -= (wanted - whole) / kPage * kPage;
  plan.trims = is_lossy;
  if (!is_lossy) plan.hold_s = kLosslessHoldSeconds;
  if (kind == SqueezeKind::ramp) {
    plan.ramp_step_bytes = kRampStepBytes;
    plan.ramp_step_s = kRampSeconds / std::ceil(static_cast<double>(plan.neighbour_bytes) /
                                                static_cast<double>(kRampStepBytes));
  }
  return plan;
}

}  // namespace kvpsi
