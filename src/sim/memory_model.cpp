// SPDX-License-Identifier: MIT
// The cliff and what leads to it; see memory_model.h.
#include "sim/memory_model.h"

#include <algorithm>

#include "policy/arith.h"
#include "sim/constants.h"
#include "sim/demand.h"

namespace kvpsi {
namespace {

constexpr double kPage = 4096;
/// One read-ahead window: what a major fault brings in.
constexpr double kFaultBytes = 128.0 * static_cast<double>(kKiB);
/// Pages scanned by reclaim for one that it takes.
constexpr double kScannedPerPage = 2;

}  // namespace

std::int64_t MemoryModel::Domain::room() const {
  return saturate(Wide{capacity_bytes} - resident_anon() - hot_file_bytes);
}

MemoryModel::MemoryModel(const Scenario& scenario, Prng& prng)
    : machine_(scenario.machine),
      engine_spec_(scenario.engine),
      group_cold_spec_bytes_(scenario.group.cold_file_bytes),
      prng_(prng),
      limit_bytes_(scenario.group.limit_bytes) {
  for (const NeighbourSpec& spec : scenario.neighbours) {
    const std::uint64_t demand = find_demand(spec, 0);  // was there before we came
    const std::uint64_t file = share_of(demand, spec.file_share);
    neighbours_.push_back({.spec = spec, .anon_bytes = demand - file, .file_bytes = file});
  }
  group_.is_group = true;
  group_.cold_file_bytes = scenario.group.cold_file_bytes;
  outer_.exists = true;
  outer_.capacity_bytes =
      machine_.ram_bytes - share_of(machine_.ram_bytes, kMachine.watermark_share);
  outer_.cold_file_bytes = machine_.cold_file_bytes;
  counts_.hits = static_cast<double>(prng_.below(1000));
  counts_.scan_pages = static_cast<double>(prng_.below(1'000'000));
}

Stalls MemoryModel::advance(double t_s, double dt_s, const EngineMemory& engine) {
  engine_ = engine;
  move_neighbours(t_s, dt_s);
  measure(engine);
  swap_out(dt_s);
  if (dt_s > 0) {  // before the first step numbers are shown, but nothing happens yet
    kill_for(group_);
    kill_for(outer_);
  }
  settle_cold_files(group_, static_cast<double>(group_cold_spec_bytes_), dt_s);
  settle_cold_files(outer_, static_cast<double>(machine_.cold_file_bytes), dt_s);
  follow_episode(dt_s);
  const Stalls stalls = find_stalls();
  settle_hot_files(dt_s);
  count(stalls, dt_s);
  return stalls;
}

/// Memory is given up at once and taken as fast as pages can be touched, slower beside a stall.
void MemoryModel::move_neighbours(double t_s, double dt_s) {
  is_growing_ = false;
  wanted_bytes_ = 0;
  const double rate = kMachine.touch_bytes_per_s * (short_for_s_ > onset_s_ ? 0.25 : 1.0);
  for (Neighbour& neighbour : neighbours_) {
    const std::uint64_t demand = neighbour.is_killed ? 0 : find_demand(neighbour.spec, t_s);
    neighbour.is_there = demand > 0;
    neighbour.file_bytes = share_of(demand, neighbour.spec.file_share);
    const std::uint64_t anon = demand - neighbour.file_bytes;
    const std::uint64_t most = neighbour.anon_bytes + to_bytes(rate * dt_s);
    is_growing_ = is_growing_ || anon > neighbour.anon_bytes;
    neighbour.anon_bytes = std::min(anon, most);
    wanted_bytes_ += anon - neighbour.anon_bytes;
  }
}

void MemoryModel::measure(const EngineMemory& engine) {
  const std::uint64_t own_anon = engine.anon_bytes();
  const std::uint64_t own_file = kMachine.hidden_file_bytes + engine_spec_.mapped_weights_bytes();
  std::uint64_t inside = 0, inside_file = 0, outside = 0, outside_file = 0;
  for (const Neighbour& neighbour : neighbours_) {
    (neighbour.spec.in_group ? inside : outside) += neighbour.anon_bytes;
    if (neighbour.spec.kind == NeighbourKind::foreign) continue;  // its cache is its own limit's
    (neighbour.spec.in_group ? inside_file : outside_file) += neighbour.file_bytes;
  }
  // An engine at rest does not miss its weights.
  const std::uint64_t hot = engine.is_busy ? own_file : 0;
  const std::uint64_t cold_own = machine_.swap_is_zram ? 0 : engine.cold_anon_bytes;
  group_.exists = limit_bytes_.has_value();
  group_.capacity_bytes = limit_bytes_.value_or(machine_.ram_bytes);
  group_.anon_bytes = own_anon + inside;
  group_.hot_file_bytes = hot + inside_file;
  group_.swappable_bytes = cold_own + share_of(inside, kMachine.neighbour_cold_share);
  outer_.anon_bytes = group_.anon_bytes + outside + machine_.other_used_bytes;
  outer_.hot_file_bytes = group_.hot_file_bytes + outside_file +
                          share_of(machine_.ram_bytes, kMachine.others_file_share);
  outer_.swappable_bytes = group_.swappable_bytes +
                           share_of(outside, kMachine.neighbour_cold_share) +
                           share_of(machine_.other_used_bytes, kMachine.other_cold_share);
}

/// Cold anonymous memory goes first. What was swapped comes back only when it is used: a
/// conversation that wakes up, or a program that ends and takes its share with it.
void MemoryModel::swap_out(double dt_s) {
  is_swapping_ = false;
  group_.swapped_bytes = outer_.swapped_bytes = 0;
  if (machine_.swap_bytes == 0) return;
  const double gain = machine_.swap_is_zram ? kMachine.zram_gain : 1;
  const double rate =
      machine_.swap_is_zram ? kMachine.zram_bytes_per_s : machine_.disk_read_bytes_per_s;
  const auto wanted = [&](const Domain& domain, double now) {
    if (!domain.exists) return now;
    const auto most = static_cast<double>(std::min(domain.swappable_bytes, machine_.swap_bytes));
    const double lacking = -static_cast<double>(domain.room()) / gain;
    return std::min(std::max(now, lacking), most);
  };
  const auto move = [&](double& now, double target) {
    const double step = std::clamp(target - now, -rate * dt_s, rate * dt_s);
    if (step < 0) counts_.swapin_pages += -step / kPage;
    is_swapping_ = is_swapping_ || step != 0;
    now += step;
    return step;
  };
  const double step = move(group_swapped_bytes_, wanted(group_, group_swapped_bytes_));
  swapped_bytes_ = std::max(swapped_bytes_ + step, group_swapped_bytes_);
  move(swapped_bytes_, std::max(wanted(outer_, swapped_bytes_), group_swapped_bytes_));
  group_.swapped_bytes = std::min(to_bytes(group_swapped_bytes_ * gain), group_.anon_bytes);
  outer_.swapped_bytes = std::min(to_bytes(swapped_bytes_ * gain), outer_.anon_bytes);
}

/// With all page cache gone and no room in swap the kernel kills the biggest of the domain.
void MemoryModel::kill_for(Domain& domain) {
  const double gain = machine_.swap_is_zram ? kMachine.zram_gain : 1;
  const std::uint64_t swap_left = minus(machine_.swap_bytes, to_bytes(swapped_bytes_));
  const std::uint64_t most = domain.capacity_bytes + share_of(swap_left, gain);
  if (!domain.exists || domain.resident_anon() <= most || is_engine_killed_) return;
  Neighbour* biggest = nullptr;
  for (Neighbour& neighbour : neighbours_) {
    if (domain.is_group && !neighbour.spec.in_group) continue;
    if (biggest == nullptr || neighbour.anon_bytes > biggest->anon_bytes) biggest = &neighbour;
  }
  ++oom_kills_;
  const std::uint64_t own = engine_.anon_bytes();
  const bool in_group = biggest == nullptr || own >= biggest->anon_bytes || biggest->spec.in_group;
  if (in_group) ++counts_.group_oom_kills;
  if (biggest == nullptr || own >= biggest->anon_bytes) {
    is_engine_killed_ = true;
    return;
  }
  const std::uint64_t bytes = biggest->anon_bytes;
  biggest->is_killed = true;
  biggest->anon_bytes = biggest->file_bytes = 0;
  if (biggest->spec.in_group) group_.anon_bytes -= bytes;
  outer_.anon_bytes -= bytes;
  outer_.swapped_bytes = std::min(outer_.swapped_bytes, outer_.anon_bytes);
  group_.swapped_bytes = std::min(group_.swapped_bytes, group_.anon_bytes);
}

/// Cache that nobody needs gives way without a stall, and trickles back.
void MemoryModel::settle_cold_files(Domain& domain, double limit_bytes, double dt_s) {
  if (!domain.exists && domain.is_group) return;
  std::int64_t others = domain.is_group ? 0 : static_cast<std::int64_t>(group_.cold_file_bytes);
  if (!group_.exists) others = 0;
  const double room =
      std::max(0.0, static_cast<double>(domain.room()) - static_cast<double>(others));
  const auto before = static_cast<double>(domain.cold_file_bytes);
  const double back = std::min(limit_bytes, before + kMachine.cold_refill_bytes_per_s * dt_s);
  const double now = std::min(back, room);
  const double cleared = std::max(0.0, back - now);
  domain.cold_file_bytes = to_bytes(now);
  if (cleared <= 0) return;
  if (domain.is_group) {
    counts_.hits += 1;
  } else {
    counts_.scan_pages += cleared / kPage * kScannedPerPage;
  }
}

/// Each shortage begins with a while in which reclaim has not yet come to pages that are missed.
void MemoryModel::follow_episode(double dt_s) {
  headroom_bytes_ = outer_.room();
  if (group_.exists) headroom_bytes_ = std::min(headroom_bytes_, group_.room());
  if (headroom_bytes_ >= 0) {
    short_for_s_ = 0;
    return;
  }
  if (short_for_s_ == 0) {
    const double span_s = kMachine.onset_high_s - kMachine.onset_low_s;
    onset_s_ = kMachine.onset_low_s + span_s * prng_.unit();
    miss_ = kMachine.miss_low + (kMachine.miss_high - kMachine.miss_low) * prng_.unit();
  }
  short_for_s_ += dt_s;
}

bool MemoryModel::is_tight(const Neighbour& neighbour) const {
  return outer_.room() < 0 || (neighbour.spec.in_group && group_.exists && group_.room() < 0);
}

/// Share of the engine's speed that re-reading in every walk leaves.
double MemoryModel::walk_speed() const {
  const std::uint64_t walked = kMachine.hidden_file_bytes + engine_spec_.mapped_weights_bytes();
  const double reading_s = miss_ * static_cast<double>(walked) / machine_.disk_read_bytes_per_s;
  return engine_.walk_s / (engine_.walk_s + reading_s);
}

Stalls MemoryModel::find_stalls() const {
  Stalls stalls;
  const double others_stall = miss_;  // they walk their files without computing much
  const bool is_early = short_for_s_ > 0 && !thrashes();  // what is out is not missed yet
  if (!engine_.is_busy || engine_.is_waiting || is_early) {
    stalls.own = 0;
  } else if (thrashes()) {
    stalls.own = kMachine.reading_stall * (1 - walk_speed());
  } else if (evicted_weights_bytes_ > 0) {
    stalls.own = kMachine.read_back_stall;
  } else if (is_swapping_) {
    stalls.own = kMachine.swap_stall;
  }
  if (thrashes() && outer_.room() < 0) stalls.outside = others_stall;
  for (const Neighbour& neighbour : neighbours_) {
    if (!neighbour.is_there) continue;
    double stall = 0;
    const bool misses_files = neighbour.file_bytes > 0 && (thrashes() || evicted_others_bytes_ > 0);
    if (neighbour.spec.kind == NeighbourKind::foreign) {
      stall = neighbour.spec.bytes > neighbour.spec.own_limit_bytes ? kMachine.foreign_stall : 0;
    } else if (misses_files && (is_tight(neighbour) || evicted_others_bytes_ > 0)) {
      stall = thrashes() ? others_stall : kMachine.read_back_stall;
    } else if (is_growing_ && is_tight(neighbour)) {
      stall = kMachine.growth_stall;
    }
    double& account = neighbour.spec.in_group ? stalls.group_others : stalls.outside;
    account = std::max(account, stall);
    (neighbour.spec.in_group ? stalls.group_works : stalls.outside_works) = true;
  }
  stalls.outside_works = stalls.outside_works || stalls.outside > 0;
  return stalls;
}

/// While hot memory does not fit, some of it is always out, and never the same; afterwards it is
/// read back at the disk's speed, by whoever misses it.
void MemoryModel::settle_hot_files(double dt_s) {
  const std::uint64_t lacking =
      headroom_bytes_ < 0 ? static_cast<std::uint64_t>(-headroom_bytes_) : 0;
  const auto hot = static_cast<double>(outer_.hot_file_bytes);
  const auto weights = static_cast<double>(engine_spec_.mapped_weights_bytes());
  const double own = engine_.is_busy ? weights : 0;
  const double own_share = hot > 0 ? std::min(1.0, own / hot) : 0;
  const double read = machine_.disk_read_bytes_per_s * dt_s;
  if (lacking > 0) {
    // The pages in front of the walk are out: at least a few MiB of them at any time.
    const double out = std::min(hot, static_cast<double>(lacking) + 4 * kFaultBytes);
    evicted_weights_bytes_ = std::max(evicted_weights_bytes_, std::min(own, out * own_share));
    evicted_others_bytes_ = std::max(evicted_others_bytes_, out * (1 - own_share));
  } else {
    if (engine_.is_busy) evicted_weights_bytes_ = std::max(0.0, evicted_weights_bytes_ - read);
    evicted_others_bytes_ = std::max(0.0, evicted_others_bytes_ - read);
  }
  if (!engine_.is_busy) {  // others take the place of weights at rest, without a stall
    const double room = std::max(0.0, static_cast<double>(headroom_bytes_));
    evicted_weights_bytes_ = std::max(evicted_weights_bytes_, weights - room);
  }
  const bool reads = (short_for_s_ == 0 && evicted_weights_bytes_ > 0) || is_swapping_;
  speed_ = thrashes() ? walk_speed() : reads ? kMachine.read_back_speed : 1;
}

void MemoryModel::count(const Stalls& stalls, double dt_s) {
  if (short_for_s_ <= 0) return;
  const bool is_group_tight = group_.exists && group_.room() < 0;
  const double others = std::max(stalls.group_others, stalls.outside);
  const double own = stalls.own / kMachine.reading_stall;
  const double reading = std::max({own, others, is_growing_ ? kMachine.growth_stall : 0.0});
  const double read_pages = machine_.disk_read_bytes_per_s * dt_s / kPage * reading;
  counts_.refault_pages += read_pages;
  counts_.major_faults += kMachine.major_faults_per_s * dt_s * own;
  if (is_group_tight) counts_.hits += kMachine.hits_per_s * dt_s * reading;
  if (outer_.room() < 0) counts_.scan_pages += read_pages * kScannedPerPage;
}

void MemoryModel::fill(Sample& sample) const {
  const auto whole = [](double value) { return static_cast<std::uint64_t>(value); };
  const auto evicted = evicted_weights_bytes_ + evicted_others_bytes_;
  const std::uint64_t weights = engine_spec_.mapped_weights_bytes();
  sample.mem_total_bytes = machine_.ram_bytes;
  // The kernel counts page cache as available, our weights with it.
  sample.mem_available_bytes = minus(outer_.capacity_bytes, outer_.resident_anon());
  sample.swap_free_bytes = minus(machine_.swap_bytes, whole(swapped_bytes_));
  sample.system_scan_pages_total = whole(counts_.scan_pages);
  sample.system_swapin_pages_total = whole(counts_.swapin_pages);
  if (group_.exists) {
    const std::uint64_t idle_weights = engine_.is_busy ? 0 : weights;
    const std::uint64_t wanted =
        minus(group_.hot_file_bytes + idle_weights, whole(evicted)) + group_.cold_file_bytes;
    const std::uint64_t file =
        std::min(wanted, minus(group_.capacity_bytes, group_.resident_anon()));
    sample.group_limit_bytes = group_.capacity_bytes;
    sample.group_file_bytes = file;
    sample.group_usage_bytes =
        std::min(group_.resident_anon() + file, std::max(group_.capacity_bytes, file));
    sample.group_limit_hits_total = whole(counts_.hits);
    sample.group_oom_kills_total = counts_.group_oom_kills;
    sample.group_refault_pages_total = whole(counts_.refault_pages);
  }
  const std::uint64_t own = engine_.anon_bytes();
  const std::uint64_t swapped =
      machine_.swap_is_zram
          ? 0
          : std::min(engine_.cold_anon_bytes,
                     whole(group_.exists ? group_swapped_bytes_ : swapped_bytes_));
  sample.own_anon_bytes = own - swapped;
  sample.own_swap_bytes = swapped;
  sample.own_file_bytes =
      kMachine.hidden_file_bytes + minus(weights, whole(evicted_weights_bytes_));
  if (sample.group_file_bytes) {  // all of ours is charged here
    sample.own_file_bytes = std::min(sample.own_file_bytes, *sample.group_file_bytes);
  }
  sample.own_file_wanted_bytes = weights;
  sample.own_major_faults_total = whole(counts_.major_faults);
}

}  // namespace kvpsi
