// SPDX-License-Identifier: MIT
// Scenario: what a synthetic machine is made of and what happens to it, as plain numbers. Written
// as small JSON files (scenarios/*.json, shipped inside the program); docs/scenarios.md explains
// the keys. Must not hold anything that changes while a run goes on. Next hop: sim/machine.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "policy/config.h"

namespace kvpsi {

/// The hardware and what runs on it besides us. Sizes in bytes.
struct MachineSpec {
  std::uint64_t ram_bytes = 0;
  std::uint64_t swap_bytes = 0;
  bool swap_is_zram = false;
  std::uint64_t cpus = 2;
  std::uint64_t other_used_bytes = 0;  ///< anonymous, in use, outside of our group
  std::uint64_t cold_file_bytes = 0;   ///< page cache nobody needs, outside of our group
  double disk_read_bytes_per_s = 390.0 * 1024 * 1024;  ///< as measured
  bool has_psi = true;
};

/// The limited group that we (and neighbours with `where` = group) live in.
struct GroupSpec {
  std::optional<std::uint64_t> limit_bytes;  ///< empty: no limit, the machine is all there is
  std::uint64_t cold_file_bytes = 0;         ///< page cache in it that nobody needs
};

/// Where rows of the cache can be spilled to.
struct DiskSpec {
  bool is_present = true;
  double bytes_per_s = 500e6;  ///< writing and reading
  double latency_s = 0.0005;
  std::uint64_t capacity_bytes = std::uint64_t{1} << 40;
};

/// May context be taken out? Reversibly (last_resort: only where a file takes the rows), or for
/// good where there is none (eager).
enum class TrimRule : std::uint8_t { off, last_resort, eager };

struct EngineSpec {
  std::uint64_t weights_bytes = 0;
  bool is_repacked = false;  ///< weights are anonymous memory instead of a mapped file
  std::uint64_t base_bytes = 0;
  std::uint64_t bytes_per_token = 0;
  std::uint64_t granule_bytes = 4096;
  double tokens_per_s = 30;  ///< decode steps a second, unstalled; each serves every answer
  double prefill_tokens_per_s = 300;                ///< unstalled
  std::uint64_t scratch_bytes = 300 * 1024;         ///< comes back with every token
  std::uint64_t prefill_scratch_bytes = 3'750'000;  ///< comes back with every prefill batch
  std::uint64_t context_tokens = 0;                 ///< cells over all sequences
  std::uint64_t keep_tokens = 64;                   ///< of each sequence, never trimmed
  std::uint64_t tail_tokens = 256;                  ///< of each sequence, never trimmed
  TrimRule trim = TrimRule::off;
  std::uint64_t kv_min_bytes = 0;
  std::uint64_t kv_max_bytes = 0;  ///< 0 = no cap

  /// Weights that are page cache; repacked ones are anonymous.
  std::uint64_t mapped_weights_bytes() const { return is_repacked ? 0 : weights_bytes; }
  std::uint64_t context_bytes() const { return context_tokens * bytes_per_token; }
};

/// One conversation. Each turn adds prompt and answer to it; a turn that no longer fits into the
/// context starts it anew. After the last turn it stays, an idle tenant, unless `forgets`.
struct SequenceSpec {
  double start_s = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t answer_tokens = 0;
  double pause_s = 0;       ///< between an answer and the next prompt
  std::uint64_t turns = 1;  ///< 0 = without end
  bool forgets = false;     ///< every turn ends with an empty sequence
};

enum class NeighbourKind : std::uint8_t {
  step,      ///< all at once from start to end
  ramp,      ///< grows to its size within period_s, stays until the end
  sawtooth,  ///< grows to its size within period_s, drops it, begins again
  leak,      ///< grows by its size each period_s, without bound
  flap,      ///< half of each period there, half not
  foreign,   ///< thrashes inside own_limit_bytes; nobody else's memory is short
  trace,     ///< follows points of (seconds, bytes)
};

std::string_view name(NeighbourKind kind);

struct NeighbourSpec {
  NeighbourKind kind = NeighbourKind::step;
  bool in_group = false;
  std::uint64_t bytes = 0;
  double start_s = 0;
  double end_s = 0;  ///< parsed as the scenario's end where absent
  double period_s = 0;
  double file_share = 0;              ///< of its bytes, hot page cache instead of anonymous memory
  std::uint64_t own_limit_bytes = 0;  ///< foreign only
  std::vector<std::pair<double, std::uint64_t>> trace;  ///< trace only, times rising
};

enum class EventKind : std::uint8_t {
  limit,          ///< the group's limit becomes `bytes`, or none
  psi_vanishes,   ///< the pressure files cannot be read any more
  psi_returns,    ///< they can again, counting from 0
  counter_reset,  ///< all counters start from 0: the group is another one
  clock_jump,     ///< our clock leaps `seconds` ahead, nothing else happens
  suspend,        ///< the machine sleeps: the schedule leaps `seconds` ahead, our clock does not
  pools_refuse,   ///< release and trim give nothing back from now on
  pools_obey,     ///< the end of that
  disk_full,      ///< nothing more fits on the disk
  disk_broken,    ///< reads and writes fail; what is read meanwhile is lost
  disk_works,     ///< the end of both
  disk_rate,      ///< the disk moves `bytes` a second from now on
  give_back,      ///< somebody asks us to give memory back now
  pause,          ///< somebody pauses governing
  resume,         ///< somebody resumes it
};

std::string_view name(EventKind kind);

struct EventSpec {
  EventKind kind = EventKind::limit;
  double at_s = 0;
  std::optional<std::uint64_t> bytes = {};  ///< limit (empty: none) and disk_rate only
  double seconds = 0;                       ///< clock_jump and suspend only
};

/// What the checkers hold a run of this scenario to.
struct ExpectSpec {
  std::optional<double> relief_s;  ///< from here on nobody presses; empty: never
  double settle_s = 60;  ///< within this after relief, calm and the whole cache allowed again
  bool may_oom = false;
  bool needs_no_trim = false;    ///< lossless means suffice: nothing may be trimmed
  bool needs_no_action = false;  ///< not our pressure: no trim, and the budget stays unbounded
};

struct Scenario {
  std::string name;   ///< file name without its ending
  std::string title;  ///< one line
  double duration_s = 0;
  MachineSpec machine;
  GroupSpec group;
  DiskSpec disk;
  EngineSpec engine;
  std::vector<SequenceSpec> workload;
  std::vector<NeighbourSpec> neighbours;
  std::vector<EventSpec> events;  ///< in order of time
  ExpectSpec expect;
  /// False: a seed decides what is chance on the machine only, sizes and times are as they stand.
  /// For comparing with real runs of known sizes; files always say true.
  bool varies = true;
};

/// Reads one scenario. `name` names it in the result and in errors. Comments are allowed.
/// Errors: malformed (not JSON), invalid_argument (unknown key, bad unit, contradiction): one
/// clause that says what and where ("neighbours[1].period_s: ...").
Result<Scenario> parse_scenario(std::string_view json, std::string_view name);

/// The smallest factor that vary_scenario() moves anything by. Whoever promises something by a time
/// counts with it.
inline constexpr double kLeastFactor = 0.9;

/// The same scenario with times and sizes moved by up to 10 %, following from the seed alone: one
/// factor for all times (so that their order, and relief_s, stay true), one for each neighbour's
/// size, each sequence's lengths, the engine's speeds and the disk. Limits and RAM stay. Unchanged
/// where it does not vary.
Scenario vary_scenario(const Scenario& scenario, std::uint64_t seed);

/// The control law's settings that the engine's flags of this scenario stand for.
PolicyConfig make_policy_config(const Scenario& scenario);

/// A scenario that is part of the program, as text.
struct ShippedScenario {
  std::string_view name;
  std::string_view title;
  std::string_view text;
};

/// All of scenarios/*.json, sorted by name. Static storage.
std::span<const ShippedScenario> shipped_scenarios();

}  // namespace kvpsi
