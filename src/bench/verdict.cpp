// SPDX-License-Identifier: MIT
// The claims and the rule that judges them; see verdict.h.
#include "bench/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <string>

#include "bench/stats.h"
#include "bench/verdict_account.h"

namespace kvpsi {
namespace {

/// What a ratio is claimed to be. `at_least`: median >= goal and interval above floor; `at_most`
/// the same downwards; `more`: above 1.
enum class ClaimKind : std::uint8_t { more, at_least, at_most };

struct Claim {
  std::string metric;
  Squeeze squeeze = Squeeze::s1;
  Variant first = Variant::psi;
  std::optional<Variant> second;  ///< empty: the neighbour alone
  ClaimKind kind = ClaimKind::more;
  double goal = 1;
  double floor = 1;
};

struct Pair {
  Order order = Order::fixed_first;
  double ratio = 0;
};

struct Pairs {
  std::vector<Pair> pairs;
  std::uint32_t dropped = 0;  ///< the second of the pair did nothing: no ratio exists
  std::uint32_t failed = 0;   ///< the first of the pair did not end well
};

double speed_of(const Trial& trial) { return trial.exit == "ok" ? trial.tok_s : 0; }

const Trial* find_partner(const BenchResults& results, const Trial& trial, Variant variant) {
  for (const Trial& other : results.trials) {
    if (other.trial == trial.trial && other.squeeze == trial.squeeze && other.variant == variant) {
      return &other;
    }
  }
  return nullptr;
}

void add_pair(Pairs& pairs, Order order, double first, double second) {
  if (second <= 0) {
    ++pairs.dropped;
  } else {
    pairs.pairs.push_back({order, first / second});
  }
}

Pairs pair_up(const BenchResults& results, const Claim& claim,
              const std::function<void(Pairs&, const Trial&)>& add) {
  Pairs pairs;
  for (const Trial& trial : results.trials) {
    if (trial.squeeze != claim.squeeze || trial.variant != claim.first) continue;
    if (trial.exit != "ok") ++pairs.failed;
    add(pairs, trial);
  }
  return pairs;
}

Pairs pair_speeds(const BenchResults& results, const Claim& claim) {
  return pair_up(results, claim, [&](Pairs& pairs, const Trial& trial) {
    if (const Trial* other = find_partner(results, trial, *claim.second)) {
      add_pair(pairs, trial.order, speed_of(trial), speed_of(*other));
    }
  });
}

const SqueezeContext* find_context(const BenchResults& results, Squeeze squeeze) {
  for (const auto& context : results.context.squeezes) {
    if (context.squeeze == squeeze) return &context;
  }
  return nullptr;
}

Pairs pair_neighbours(const BenchResults& results, const Claim& claim,
                      double NeighbourRate::* field) {
  const SqueezeContext* context = find_context(results, claim.squeeze);
  return pair_up(results, claim, [&](Pairs& pairs, const Trial& trial) {
    const std::optional<NeighbourRate>* other = nullptr;
    if (!claim.second) {
      other = context != nullptr ? &context->neighbour_alone : nullptr;
    } else if (const Trial* partner = find_partner(results, trial, *claim.second)) {
      other = &partner->neighbour;
    }
    if (!trial.neighbour || other == nullptr || !*other) return;
    add_pair(pairs, trial.order, *trial.neighbour.*field, **other.*field);
  });
}

std::vector<double> ratios_of(const Pairs& pairs, std::optional<Order> order) {
  std::vector<double> ratios;
  for (const Pair& pair : pairs.pairs) {
    if (!order || pair.order == *order) ratios.push_back(pair.ratio);
  }
  return ratios;
}

/// +1 the claim holds, -1 its contrary does, 0 neither.
int weigh(const Claim& claim, double value, const Interval& interval) {
  switch (claim.kind) {
    case ClaimKind::more:
      return interval.lo > 1 ? 1 : interval.hi < 1 ? -1 : 0;
    case ClaimKind::at_least:
      if (value >= claim.goal && interval.lo > claim.floor) return 1;
      return interval.hi < claim.goal ? -1 : 0;
    case ClaimKind::at_most:
      if (value <= claim.goal && interval.hi < claim.floor) return 1;
      return interval.lo > claim.goal ? -1 : 0;
  }
  return 0;
}

/// Whether the median of one order alone stands on the side that `side` says.
bool order_agrees(const Claim& claim, double value, int side) {
  const bool holds = claim.kind == ClaimKind::at_most ? value < claim.floor : value > claim.floor;
  return holds == (side > 0);
}

struct ByOrder {
  std::vector<double> fixed_first;
  std::vector<double> psi_first;
  std::vector<double> random;
  bool both() const { return !random.empty() || (!fixed_first.empty() && !psi_first.empty()); }
};

std::string decide_words(const Claim& claim, const Verdict& verdict, const ByOrder& orders) {
  if (verdict.n < kLeastPairs || !verdict.ci95_lo) {
    return fmt::format("inconclusive: {} pair{}, the rule needs {}", verdict.n,
                       verdict.n == 1 ? "" : "s", kLeastPairs);
  }
  const int side = weigh(claim, verdict.ratio_median, Interval{*verdict.ci95_lo, *verdict.ci95_hi});
  if (side == 0) return "inconclusive: the interval does not settle it";
  if (!orders.both()) return "inconclusive: only one order ran";
  for (const auto* ratios : {&orders.fixed_first, &orders.psi_first}) {
    if (!ratios->empty() && !order_agrees(claim, median(*ratios), side)) {
      return "inconclusive: the two orders disagree";
    }
  }
  return side > 0 ? "supported" : "contradicted";
}

std::string numbers_in_words(const Claim& claim, const Verdict& verdict, const ByOrder& orders) {
  std::string words = fmt::format(" ({}: ratio {:.2f}", claim.metric, verdict.ratio_median);
  if (verdict.ci95_lo) {
    words += fmt::format(", 95 % interval {:.2f}..{:.2f}", *verdict.ci95_lo, *verdict.ci95_hi);
  }
  if (!orders.fixed_first.empty()) {
    words += fmt::format(", fixed-first {:.2f}", median(orders.fixed_first));
  }
  if (!orders.psi_first.empty()) {
    words += fmt::format(", psi-first {:.2f}", median(orders.psi_first));
  }
  switch (claim.kind) {
    case ClaimKind::more:
      return words + "; claim: above 1)";
    case ClaimKind::at_least:
      return words + fmt::format("; claim: at least {:.2f}, interval above {:.2f})", claim.goal,
                                 claim.floor);
    case ClaimKind::at_most:
      return words + fmt::format("; claim: at most {:.2f}, interval below {:.2f})", claim.goal,
                                 claim.floor);
  }
  return words;
}

Verdict judge_claim(const Claim& claim, const Pairs& pairs, bool pressure_arose,
                    std::uint64_t seed) {
  Verdict verdict;
  verdict.metric = claim.metric;
  const std::vector<double> ratios = ratios_of(pairs, std::nullopt);
  const ByOrder orders{ratios_of(pairs, Order::fixed_first), ratios_of(pairs, Order::psi_first),
                       ratios_of(pairs, Order::random)};
  verdict.n = static_cast<std::uint32_t>(ratios.size());
  verdict.ratio_median = median(ratios);
  if (const auto interval = bootstrap_median(ratios, seed)) {
    verdict.ci95_lo = interval->lo;
    verdict.ci95_hi = interval->hi;
  }
  verdict.order_effect = ratio_of_medians(orders.fixed_first, orders.psi_first);
  verdict.words = pressure_arose
                      ? decide_words(claim, verdict, orders)
                      : "inconclusive: no pressure arose, so there is nothing to compare";
  verdict.words += numbers_in_words(claim, verdict, orders);
  if (pairs.dropped > 0) {
    verdict.words += fmt::format("; {} more where {} decoded nothing, so no ratio exists",
                                 pairs.dropped, claim.second ? name(*claim.second) : "alone");
  }
  if (pairs.failed > 0) {
    verdict.words += fmt::format("; {} run{} of {} did not end well and count as 0", pairs.failed,
                                 pairs.failed == 1 ? "" : "s", name(claim.first));
  }
  return verdict;
}

std::vector<Claim> speed_claims(Squeeze squeeze) {
  using enum Variant;
  std::vector<Claim> claims;
  const auto add = [&](Variant first, Variant second, ClaimKind kind, double goal, double floor) {
    claims.push_back({fmt::format("{} {}/{} tok_s", name(squeeze), name(first), name(second)),
                      squeeze, first, second, kind, goal, floor});
  };
  if (!may_trim(squeeze)) add(psi, unsqueezed, ClaimKind::at_least, 0.90, 0.85);
  add(psi, fixed, ClaimKind::more, 1, 1);
  add(psi, small, ClaimKind::at_least, 0.90, 0.85);
  if (may_trim(squeeze)) add(psi, unsqueezed, ClaimKind::more, 1, 1);
  add(psi_strict, fixed, ClaimKind::more, 1, 1);
  add(psi, psi_strict, ClaimKind::more, 1, 1);
  add(release_only, fixed, ClaimKind::more, 1, 1);
  add(trim_only, fixed, ClaimKind::more, 1, 1);
  add(psi, trim_only, ClaimKind::more, 1, 1);
  return claims;
}

/// Beside itself alone, the neighbour also loses to an engine that merely computes (memory bus,
/// shared caches): only the comparison with unsqueezed is about memory pressure alone.
std::vector<Claim> neighbour_claims(Squeeze squeeze) {
  std::vector<Claim> claims;
  for (const auto second : {std::optional(Variant::unsqueezed), std::optional<Variant>()}) {
    const auto other = second ? name(*second) : "alone";
    claims.push_back({fmt::format("{} neighbour psi/{} rounds_s", name(squeeze), other), squeeze,
                      Variant::psi, second, ClaimKind::at_least, 0.95, 0.90});
    claims.push_back({fmt::format("{} neighbour psi/{} p99_ms", name(squeeze), other), squeeze,
                      Variant::psi, second, ClaimKind::at_most, 1.10, 1.25});
  }
  return claims;
}

}  // namespace

std::string_view verdict_rule() {
  return "Rule: supported or contradicted takes at least 3 pairs of the same trial, a 95 % "
         "bootstrap interval of the median ratio on that side of the claim, and agreement of both "
         "orders; anything else is inconclusive. What is claimed of every run is contradicted by a "
         "single one, and supported by 3 or more without exception.";
}

std::vector<Verdict> judge(const BenchResults& results, std::uint64_t seed) {
  std::vector<Verdict> verdicts;
  for (const SqueezeContext& context : results.context.squeezes) {
    const auto add = [&](const Claim& claim, const Pairs& pairs) {
      if (pairs.pairs.empty() && pairs.dropped == 0) return;
      verdicts.push_back(judge_claim(claim, pairs, context.pressure_arose, seed));
    };
    for (const Claim& claim : speed_claims(context.squeeze)) {
      add(claim, pair_speeds(results, claim));
    }
    for (const Claim& claim : neighbour_claims(context.squeeze)) {
      add(claim, pair_neighbours(results, claim,
                                 claim.kind == ClaimKind::at_least ? &NeighbourRate::rounds_s
                                                                   : &NeighbourRate::p99_ms));
    }
    std::ranges::move(judge_account(results, context), std::back_inserter(verdicts));
  }
  return verdicts;
}

}  // namespace kvpsi
