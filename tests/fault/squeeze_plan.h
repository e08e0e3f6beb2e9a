// SPDX-License-Identifier: MIT
// One random squeeze as data: which conversations run with which flags, how short memory gets and
// when, what happens to the spill file and who is signalled. All of it follows from a seed, so that
// a number in a log is enough to see it again. Next hop: squeeze_run.h carries it out.
#pragma once

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"

namespace kvpsi::test {

/// What is asked of the engine. The undisturbed texts are made once for each.
struct Workload {
  std::string_view name;
  std::string_view conversations;  ///< for --prompts
  int seats;
  bool unified;
};

inline constexpr std::array<Workload, 4> kWorkloads{{
    {"three talk",
     R"({"prompt": "Once upon a time a fox and a crow met", "prompt_tokens": 110, "predict": 45}
{"prompt": "The capital of France is Paris, and", "prompt_tokens": 140, "predict": 35}
{"prompt": "Rivers flow to the sea because", "prompt_tokens": 90, "predict": 50}
)",
     3, true},
    {"two talk, one waits",
     R"({"prompt": "A cook needs a knife and", "prompt_tokens": 160, "predict": 0, "then": 15}
{"prompt": "The sky is blue since the light of the sun", "prompt_tokens": 120, "predict": 50}
{"prompt": "In winter the lake freezes and", "prompt_tokens": 100, "predict": 40}
)",
     3, true},
    {"two talk, one waits, a stream each",
     R"({"prompt": "A cook needs a knife and", "prompt_tokens": 160, "predict": 0, "then": 15}
{"prompt": "The sky is blue since the light of the sun", "prompt_tokens": 120, "predict": 50}
{"prompt": "In winter the lake freezes and", "prompt_tokens": 100, "predict": 40}
)",
     3, false},
    {"five talk on three seats, two of them wait first",
     R"({"prompt": "Every morning the baker opens", "prompt_tokens": 110, "predict": 30, "then": 10}
{"prompt": "The old clock in the tower", "prompt_tokens": 80, "predict": 20}
{"prompt": "Ships carry grain and oil to", "prompt_tokens": 100, "predict": 30}
{"prompt": "A letter came by post that said", "prompt_tokens": 90, "predict": 25}
{"prompt": "Under the bridge lived a family of", "prompt_tokens": 80, "predict": 0, "then": 12}
)",
     3, true},
}};

enum class SpillPlace : std::uint8_t { disk, small_disk, little_budget, nowhere };

/// Comes `after_s` into the decoding (or earlier, where that never begins) and stays.
struct Visit {
  double after_s = 0;
  double stay_s = 0;
};

struct Signal {
  double after_s = 0;
  int number = 0;
};

struct SqueezePlan {
  std::uint64_t seed = 0;
  const Workload* workload = nullptr;
  bool eager = false;
  int context = 2048;
  SpillPlace place = SpillPlace::disk;
  std::string faults;              ///< for tests/preload; empty: none
  double disk_fills_after_s = -1;  ///< of small_disk; < 0: never
  int neighbour_mib = 0;
  int short_mib = 0;  ///< by how much memory is short while the neighbour is there
  std::vector<Visit> visits;
  std::vector<Signal> signals;   ///< in order of time
  int linger_s = 1;              ///< for trimmed tokens to come back
  bool before_decoding = false;  ///< times count from the prefill on

  bool is_sent(int number) const {
    for (const Signal& signal : signals) {
      if (signal.number == number) return true;
    }
    return false;
  }
};

inline std::string make_faults(Prng& random, std::uint64_t seed) {
  std::string line = fmt::format("seed={}", seed);
  const auto maybe = [&](const char* key, std::uint64_t one_in, double most) {
    if (random.below(one_in) == 0) line += fmt::format(" {}={:.3f}", key, most * random.unit());
  };
  maybe("write_eio", 4, 0.5);
  maybe("write_enospc", 4, 0.5);
  maybe("write_short", 3, 0.5);
  maybe("read_eio", 3, 0.6);
  maybe("read_flip", 3, 0.6);
  maybe("read_short", 3, 0.5);
  maybe("sync_eio", 6, 0.3);
  maybe("punch_refused", 6, 1);
  if (random.below(3) == 0) line += fmt::format(" slow_us={}", random.below(60'000));
  return line;
}

inline void add_signals(SqueezePlan& plan, Prng& random) {
  const auto at = [&] { return 3.0 * random.unit(); };
  const auto give_back = random.below(3);
  for (std::uint64_t i = 0; i < give_back; ++i) plan.signals.push_back({at(), SIGUSR1});
  if (random.below(4) == 0) {
    const double paused_s = at();
    plan.signals.push_back({paused_s, SIGUSR2});
    plan.signals.push_back({paused_s + 0.7 * random.unit(), SIGUSR2});
  }
  static constexpr int kEnds[] = {SIGINT, SIGINT, SIGTERM, SIGKILL, SIGKILL};
  if (random.below(3) == 0) plan.signals.push_back({at(), kEnds[random.below(5)]});
  std::ranges::sort(plan.signals, {}, &Signal::after_s);
}

inline SqueezePlan plan_squeeze(std::uint64_t seed) {
  Prng random(seed);
  SqueezePlan plan;
  plan.seed = seed;
  plan.workload = &kWorkloads[random.below(kWorkloads.size())];
  plan.eager = random.below(2) == 0;
  // The tight one does not hold all that is asked for: eager makes room, others end early.
  if (plan.eager && random.below(4) == 0) plan.context = 256;
  static constexpr SpillPlace kPlaces[] = {SpillPlace::disk, SpillPlace::disk,
                                           SpillPlace::small_disk, SpillPlace::little_budget,
                                           SpillPlace::nowhere};
  plan.place = kPlaces[random.below(5)];
  if (plan.place == SpillPlace::small_disk && random.below(3) > 0) {
    plan.disk_fills_after_s = 2 * random.unit();
  }
  if (random.below(3) > 0) plan.faults = make_faults(random, seed);
  plan.neighbour_mib = static_cast<int>(24 + random.below(40));
  plan.short_mib = static_cast<int>(6 + random.below(14));
  if (random.below(4) == 0) plan.linger_s = 14;  // the law gives nothing back sooner
  plan.before_decoding = random.below(3) == 0;
  double at_s = 0.3 * random.unit();
  const auto visits = 1 + random.below(3);
  for (std::uint64_t i = 0; i < visits; ++i) {
    plan.visits.push_back({at_s, 0.4 + 1.2 * random.unit()});
    at_s += plan.visits.back().stay_s + 0.2 + 0.6 * random.unit();
  }
  add_signals(plan, random);
  return plan;
}

inline std::string describe(const SqueezePlan& plan) {
  static constexpr const char* kPlaces[] = {"disk", "small disk", "little budget", "no file"};
  std::string text = fmt::format(
      "{} ({}{}, {}{}), {} MiB short", plan.workload->name, plan.eager ? "eager" : "last-resort",
      plan.context < 2048 ? ", tight" : "", kPlaces[static_cast<int>(plan.place)],
      plan.disk_fills_after_s >= 0 ? " that fills" : "", plan.short_mib);
  for (const Signal& signal : plan.signals) {
    text += fmt::format(", SIG{}", ::sigabbrev_np(signal.number));
  }
  if (!plan.faults.empty()) text += ", " + plan.faults;
  return text;
}

}  // namespace kvpsi::test
