// SPDX-License-Identifier: MIT
// Windows over the history of samples; see fuse.h.
#include "policy/fuse.h"

#include <algorithm>

#include "policy/arith.h"
#include "policy/room.h"

namespace kvpsi {
namespace {

/// Rates over less than this would be noise.
constexpr std::uint64_t kLeastSpanUs = 500'000;
constexpr double kPageBytes = 4096;

struct Presence {
  static constexpr std::uint64_t kOwn = 1, kParent = 2, kSystem = 4, kScan = 8, kSwapin = 16,
                                 kRefault = 32, kHits = 64, kOomKills = 128, kHints = 256;
};

Point make_point(const Sample& sample, const Room& room) {
  Point point;
  point.t_us = sample.t_us;
  const auto take_psi = [&](const std::optional<PsiTotals>& psi, std::uint64_t bit,
                            std::uint64_t& some, std::uint64_t& full) {
    if (!psi) return;
    point.present |= bit;
    some = psi->some_us_total;
    full = psi->full_us_total;
  };
  const auto take = [&](const std::optional<std::uint64_t>& value, std::uint64_t bit,
                        std::uint64_t& into) {
    if (!value) return;
    point.present |= bit;
    into = *value;
  };
  take_psi(sample.psi_own, Presence::kOwn, point.own_some_us, point.own_full_us);
  take_psi(sample.psi_parent, Presence::kParent, point.parent_some_us, point.parent_full_us);
  take_psi(sample.psi_system, Presence::kSystem, point.system_some_us, point.system_full_us);
  take(sample.system_scan_pages_total, Presence::kScan, point.scan_pages);
  take(sample.system_swapin_pages_total, Presence::kSwapin, point.swapin_pages);
  take(sample.group_refault_pages_total, Presence::kRefault, point.refault_pages);
  take(sample.group_limit_hits_total, Presence::kHits, point.limit_hits);
  take(sample.group_oom_kills_total, Presence::kOomKills, point.oom_kills);
  take(sample.pressure_hints_total, Presence::kHints, point.hints);
  point.major_faults = sample.own_major_faults_total;
  point.headroom_bytes = room.headroom_bytes;
  point.foreign_room_bytes = room.foreign_room_bytes;
  point.others_file_bytes = room.others_file_bytes;
  point.scope = room.scope;
  return point;
}

bool continues(const Point& before, const Point& now, std::uint64_t gap_us) {
  return now.t_us >= before.t_us && now.t_us - before.t_us <= gap_us &&
         now.present == before.present && now.own_some_us >= before.own_some_us &&
         now.own_full_us >= before.own_full_us && now.parent_some_us >= before.parent_some_us &&
         now.parent_full_us >= before.parent_full_us &&
         now.system_some_us >= before.system_some_us &&
         now.system_full_us >= before.system_full_us && now.scan_pages >= before.scan_pages &&
         now.swapin_pages >= before.swapin_pages && now.refault_pages >= before.refault_pages &&
         now.limit_hits >= before.limit_hits && now.oom_kills >= before.oom_kills &&
         now.major_faults >= before.major_faults && now.hints >= before.hints;
}

/// The oldest point kept from `from_us` on; where there is none (the governor itself was stalled
/// for longer than the window) the previous sample, unless it is from before `not_before_us`.
const Point* find_base(const PolicyState& state, std::uint64_t from_us,
                       std::uint64_t not_before_us) {
  for (std::size_t i = 0; i < state.history.size(); ++i) {
    if (state.history[i].t_us >= from_us) return &state.history[i];
  }
  const bool usable = state.has_previous && state.previous.t_us >= not_before_us;
  return usable ? &state.previous : nullptr;
}

/// Stall of the sources that concern us. A neighbour thrashing inside a limit of its own, or the
/// host's pressure seen from a container, is not ours to relieve: outer sources count only while
/// the kind of reclaim goes on that we could have a part in.
struct Stall {
  std::uint64_t own_us = 0;
  std::uint64_t parent_us = 0;
  std::uint64_t system_us = 0;
  std::uint64_t most() const { return std::max({own_us, parent_us, system_us}); }
};

struct Reclaim {
  bool limit = false;   ///< our limit was hit in the fast window
  bool system = false;  ///< the machine scans for pages
  bool active = false;  ///< either, or pages are read back
};

Stall measure_some(const Point& base, const Point& now, const Reclaim& reclaim) {
  Stall stall;
  stall.own_us = now.own_some_us - base.own_some_us;
  if (reclaim.limit || reclaim.system) stall.parent_us = now.parent_some_us - base.parent_some_us;
  if (reclaim.system) stall.system_us = now.system_some_us - base.system_some_us;
  return stall;
}

Stall measure_full(const Point& base, const Point& now, const Reclaim& reclaim) {
  Stall stall;
  stall.own_us = now.own_full_us - base.own_full_us;
  if (reclaim.limit || reclaim.system) stall.parent_us = now.parent_full_us - base.parent_full_us;
  if (reclaim.system) stall.system_us = now.system_full_us - base.system_full_us;
  return stall;
}

double stall_share(std::uint64_t stall_us, const Point& base, const Point& now,
                   std::uint64_t window_us) {
  const std::uint64_t span_us = std::max({window_us, now.t_us - base.t_us, std::uint64_t{1}});
  return std::min(1.0, static_cast<double>(stall_us) / static_cast<double>(span_us));
}

/// We are the victim when our own share is at least four fifths of the worst. Others that stall
/// beside us are victims of what we hold too while the limit that we share is being hit.
Origin find_origin(const Stall& stall, const Reclaim& reclaim) {
  const std::uint64_t most = stall.most();
  if (most == 0) return Origin::none;
  if (Wide{stall.own_us} * 5 >= Wide{most} * 4) return Origin::own;
  if (stall.parent_us < most) return Origin::system;
  return reclaim.limit ? Origin::limit : Origin::parent;
}

double span_s(const Point& base, const Point& now) {
  return static_cast<double>(std::max(kLeastSpanUs, now.t_us - base.t_us)) * 1e-6;
}

Reclaim measure_reclaim(const Point& base, const Point& now, const PolicyConfig& config) {
  const double seconds = span_s(base, now);
  const auto rate = [&](std::uint64_t before, std::uint64_t after) {
    return static_cast<double>(after - before) / seconds;
  };
  Reclaim reclaim;
  reclaim.limit = now.limit_hits > base.limit_hits;
  reclaim.system =
      rate(base.scan_pages, now.scan_pages) * kPageBytes >= config.scan_floor_bytes_per_s;
  reclaim.active =
      reclaim.limit || reclaim.system ||
      rate(base.swapin_pages, now.swapin_pages) * kPageBytes >= config.scan_floor_bytes_per_s ||
      rate(base.refault_pages, now.refault_pages) >= config.refault_floor_per_s;
  return reclaim;
}

void add_slopes(Signal& signal, const Point& base, const Point& now, const PolicyConfig& config) {
  const double seconds = span_s(base, now);
  signal.major_faults_per_s = static_cast<double>(now.major_faults - base.major_faults) / seconds;
  if (base.scope != now.scope || now.scope == Scope::none) return;
  const auto slope = [&](std::int64_t before, std::int64_t after) {
    return static_cast<double>(Wide{after} - before) / seconds;
  };
  signal.headroom_slope = slope(base.headroom_bytes, now.headroom_bytes);
  signal.foreign_slope = slope(base.foreign_room_bytes, now.foreign_room_bytes);
  if (-signal.foreign_slope < config.slope_floor_bytes_per_s) return;
  // Weights bigger than the memory leave none for ever: nothing is running out then.
  if (base.headroom_bytes <= 0 && now.headroom_bytes <= 0) return;
  const double left = static_cast<double>(std::max<std::int64_t>(0, signal.headroom_bytes));
  signal.time_to_empty_s = left / -signal.foreign_slope;
}

void add_stall(Signal& signal, const PolicyState& state, const Point& now, const Reclaim& reclaim,
               const PolicyConfig& config) {
  const std::uint64_t fast_from = minus(now.t_us, config.fast_window_us);
  if (const Point* base =
          find_base(state, std::max(fast_from, state.step_end_us), state.step_end_us)) {
    const Stall some = measure_some(*base, now, reclaim);
    signal.some_fast = stall_share(some.most(), *base, now, config.fast_window_us);
    signal.full_fast =
        stall_share(measure_full(*base, now, reclaim).most(), *base, now, config.fast_window_us);
    signal.origin = find_origin(some, reclaim);
  }
  if (const Point* base = find_base(state, minus(now.t_us, config.slow_window_us), 0)) {
    signal.some_slow =
        stall_share(measure_some(*base, now, reclaim).most(), *base, now, config.slow_window_us);
  }
}

/// The program's text and libraries are read with every token but declared by nobody; what was
/// mapped at rest tells their size. More than that was read once, to load the model. A maximum that
/// was not seen again for long, and without pressure, was something else.
void note_own_files(PolicyState& state, const Sample& sample, const PolicyConfig& config) {
  const std::uint64_t beyond = minus(sample.own_file_bytes, sample.own_file_wanted_bytes);
  const std::uint64_t mapped = sample.own_file_bytes - minus(beyond, config.own_text_most_bytes);
  const bool is_old = state.level == Level::calm &&
                      !is_within(sample.t_us, state.own_file_most_us, config.own_text_for_us);
  const bool is_new = sample.own_file_wanted_bytes != state.own_file_wanted_bytes;
  if (is_old || is_new || mapped >= state.own_file_most_bytes) {
    state.own_file_most_bytes = mapped;
    state.own_file_most_us = stamp(sample.t_us);
  }
  state.own_file_wanted_bytes = sample.own_file_wanted_bytes;
}

/// Others take the last of the reserve so fast that waiting for stall would be waiting too long:
/// without swap a machine stalls only when there is nothing left to give back in time.
bool is_draining(const Signal& signal, const Room& room, const PolicyConfig& config) {
  return !room.has_swap && Wide{signal.headroom_bytes} < Wide{signal.reserve_low_bytes} &&
         signal.time_to_empty_s < config.drain_time_to_empty_s;
}

void remember(PolicyState& state, const Point& point) {
  state.previous = point;
  state.has_previous = true;
  const bool spaced =
      state.history.empty() || point.t_us - state.history.back().t_us >= kHistorySpacingUs;
  if (!spaced) return;
  state.history.push(point);
  Hash64 digest;
  digest.add(state.history_digest);
  add_to_hash(digest, point);
  state.history_digest = digest.value();
}

}  // namespace

Signal fuse(PolicyState& state, const Sample& sample, const PolicyConfig& config,
            std::uint64_t surge_bytes) {
  note_own_files(state, sample, config);
  const Room room = measure_room(sample, state.own_file_most_bytes, config, surge_bytes);
  const Point now = make_point(sample, room);
  if (state.has_previous && !continues(state.previous, now, config.sample_gap_us)) {
    if (now.t_us < state.previous.t_us) forget_future(state, now.t_us);
    state.history.clear();
    state.has_previous = false;
    state.history_digest = 0;
  }

  Signal signal;
  signal.psi_present =
      (now.present & (Presence::kOwn | Presence::kParent | Presence::kSystem)) != 0;
  signal.headroom_bytes = room.headroom_bytes;
  signal.reserve_low_bytes = room.reserve_low_bytes;
  signal.reserve_high_bytes = room.reserve_high_bytes;
  signal.oom_near = room.is_brittle && Wide{room.headroom_bytes} < Wide{room.reserve_low_bytes};
  signal.surge_bytes = room.surge_bytes;
  if (const Point* base = find_base(state, minus(now.t_us, config.fast_window_us), 0)) {
    const Reclaim reclaim = measure_reclaim(*base, now, config);
    signal.reclaim_active = reclaim.active;
    signal.stall_us_new = measure_some(state.previous, now, reclaim).most();
    signal.limit_hit = now.limit_hits > state.previous.limit_hits;
    signal.hinted = now.hints > state.previous.hints;
    signal.oom_kill = now.oom_kills > state.previous.oom_kills;
    add_stall(signal, state, now, reclaim, config);
    add_slopes(signal, *base, now, config);
    signal.draining = is_draining(signal, room, config);
  }
  remember(state, now);
  return signal;
}

}  // namespace kvpsi
