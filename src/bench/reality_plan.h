// SPDX-License-Identifier: MIT
// The four squeezes that a real engine and the simulated one both go through, and how big each is:
// sizes follow from one measuring run, so that both sides lack the same bytes. Pure.
// Next hops: reality runs them, reality_scenario simulates them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace kvpsi {

enum class SqueezeKind : std::uint8_t {
  step_lossy,     ///< a neighbour steps in; only a trim makes room
  step_lossless,  ///< one steps in that releasing makes room for; trimming is off
  ramp,           ///< it grows over eight seconds
  limit_lowered,  ///< no neighbour: the limit is lowered and raised again
};

inline constexpr std::array kSqueezeKinds{SqueezeKind::step_lossy, SqueezeKind::step_lossless,
                                          SqueezeKind::ramp, SqueezeKind::limit_lowered};

constexpr std::string_view name(SqueezeKind kind) {
  switch (kind) {
    case SqueezeKind::step_lossy:
      return "step-lossy";
    case SqueezeKind::step_lossless:
      return "step-lossless";
    case SqueezeKind::ramp:
      return "ramp";
    case SqueezeKind::limit_lowered:
      return "limit-lowered";
  }
  return "unknown";
}

/// Errors: malformed, naming those that exist.
Result<SqueezeKind> parse_squeeze_kind(std::string_view text);

/// What the engine is and needs, from the measuring run. Bytes unless named otherwise.
struct RealitySizes {
  std::uint64_t weights_bytes = 0;
  std::uint64_t bytes_per_token = 0;
  std::uint64_t granule_bytes = 0;
  std::uint64_t n_ctx = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t onset_tokens = 0;  ///< live when the squeeze begins
  /// The whole engine as charged to its group at the onset: weights, KV, scratch, everything.
  std::uint64_t used_bytes = 0;
  std::uint64_t scratch_bytes = 0;             ///< resident after the prefill, all of it releasable
  std::uint64_t neighbour_overhead_bytes = 0;  ///< of the neighbour's process itself
  double tokens_per_s = 0;
  double prefill_tokens_per_s = 0;

  bool operator==(const RealitySizes&) const = default;
};

/// One squeeze, in bytes and seconds.
struct RealityPlan {
  SqueezeKind kind = SqueezeKind::step_lossy;
  bool trims = true;
  std::uint64_t limit_bytes = 0;
  std::uint64_t lowered_limit_bytes = 0;  ///< limit_lowered only
  std::uint64_t neighbour_bytes = 0;      ///< asked of it; whole MiB
  std::uint64_t ramp_step_bytes = 0;      ///< ramp only
  double ramp_step_s = 0;
  double hold_s = 0;  ///< from the onset to the relief

  double ramp_s() const;
};

/// Of what is needed, what a lossy squeeze leaves: as S2.
inline constexpr double kLossyShare = 0.95;
/// A limit so far above the whole cache that all of it is allowed again once nobody squeezes.
inline constexpr double kRoomShare = 1.10;
inline constexpr double kRampSeconds = 8;
/// Onsets are spread evenly over a heartbeat of the governor at rest.
inline constexpr double kOnsetSpreadSeconds = 0.5;
/// Longest time after the relief; dwell times, hold and growth take up to 50 s.
inline constexpr double kFollowSeconds = 65;
/// Full size for that long ends the following.
inline constexpr double kSettledSeconds = 5;

/// Where in a heartbeat the onset of a repetition (1, 2, ...) lies, 0..1: `repetitions` places,
/// evenly spread, in an order in which the first few are spread too, since a series may be cut
/// short.
double find_onset_phase(std::uint32_t repetition, std::uint32_t repetitions);

RealityPlan make_reality_plan(SqueezeKind kind, const RealitySizes& sizes);

}  // namespace kvpsi
