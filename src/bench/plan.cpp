// SPDX-License-Identifier: MIT
// Names and sequences of the benchmark; see plan.h.
#include "bench/plan.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/prng.h"

namespace kvpsi {
namespace {

constexpr std::array kOrders = {Order::fixed_first, Order::psi_first, Order::random};

template <class Values>
auto parse_name(std::string_view text, const Values& values, const char* what)
    -> Result<typename Values::value_type> {
  std::string known;
  for (const auto value : values) {
    if (name(value) == text) return value;
    known += (known.empty() ? "" : ", ") + std::string(name(value));
  }
  return fail(ErrorCode::invalid_argument,
              "'" + std::string(text) + "' is not a " + what + ": there are " + known);
}

template <class Value, class Parse>
Result<std::vector<Value>> parse_list(std::string_view text, Parse parse) {
  std::vector<Value> values;
  while (true) {
    const auto comma = text.find(',');
    const auto value = parse(text.substr(0, comma));
    if (!value) return std::unexpected(value.error());
    if (std::ranges::find(values, *value) != values.end()) {
      return fail(ErrorCode::invalid_argument,
                  "'" + std::string(name(*value)) + "' is named twice in a list");
    }
    values.push_back(*value);
    if (comma == std::string_view::npos) return values;
    text.remove_prefix(comma + 1);
  }
}

bool holds(const std::vector<Variant>& variants, Variant variant) {
  return std::ranges::find(variants, variant) != variants.end();
}

/// Puts `first` before `second` by swapping the two where they stand.
void put_before(std::vector<Variant>& variants, Variant first, Variant second) {
  const auto a = std::ranges::find(variants, first);
  const auto b = std::ranges::find(variants, second);
  if (a != variants.end() && b != variants.end() && b < a) std::iter_swap(a, b);
}

/// `small` learns its size from psi's result, so it comes right after psi where it stands earlier.
void put_small_after_psi(std::vector<Variant>& variants) {
  const auto small = std::ranges::find(variants, Variant::small);
  const auto psi = std::ranges::find(variants, Variant::psi);
  if (small == variants.end() || psi == variants.end() || psi < small) return;
  variants.erase(small);
  variants.insert(std::ranges::find(variants, Variant::psi) + 1, Variant::small);
}

std::vector<Variant> sequence_for(Order order, bool fixed_before_psi, std::vector<Variant> variants,
                                  Prng& prng) {
  switch (order) {
    case Order::fixed_first:
      put_before(variants, Variant::fixed, Variant::psi);
      break;
    case Order::psi_first:
      // The mirror image: what stood early stands late, so that warming up cancels out.
      std::ranges::reverse(variants);
      put_before(variants, Variant::psi, Variant::fixed);
      break;
    case Order::random:
      for (std::size_t i = variants.size(); i > 1; --i) {
        std::swap(variants[i - 1], variants[prng.below(i)]);
      }
      if (fixed_before_psi) {
        put_before(variants, Variant::fixed, Variant::psi);
      } else {
        put_before(variants, Variant::psi, Variant::fixed);
      }
      break;
  }
  put_small_after_psi(variants);
  return variants;
}

/// The order of each trial: balanced to within one trial, interleaved, begun as the seed says.
std::vector<Order> orders_for(const SqueezePlan& plan, bool swap) {
  std::vector<Order> orders;
  for (std::uint32_t i = 0; i < plan.trials_per_order; ++i) {
    switch (plan.orders) {
      case OrderChoice::fixed_first:
        orders.push_back(Order::fixed_first);
        break;
      case OrderChoice::psi_first:
        orders.push_back(Order::psi_first);
        break;
      case OrderChoice::random:
        orders.push_back(Order::random);
        break;
      case OrderChoice::both:
        orders.push_back(swap ? Order::psi_first : Order::fixed_first);
        orders.push_back(swap ? Order::fixed_first : Order::psi_first);
        break;
    }
  }
  return orders;
}

std::optional<Error> find_fault(const SqueezePlan& plan) {
  const auto fault = [&](const std::string& what) {
    return Error{ErrorCode::invalid_argument, what + " for " + std::string(name(plan.squeeze)), {}};
  };
  if (plan.trials_per_order == 0) return fault("no trial is asked for");
  if (plan.variants.empty()) return fault("no variant is asked for");
  if (holds(plan.variants, Variant::psi_strict) && !may_trim(plan.squeeze)) {
    return fault("psi never trims there, variant psi-strict would be the same: it is not offered");
  }
  if (plan.squeeze == Squeeze::s3) {
    for (const Variant variant : {Variant::small, Variant::trim_only}) {
      if (!holds(plan.variants, variant)) continue;
      return fault("variant " + std::string(name(variant)) +
                   " would lose tenants' context, which nobody may there: it is not offered");
    }
  }
  if (holds(plan.variants, Variant::small) && !holds(plan.variants, Variant::psi)) {
    return fault("variant small takes its size from psi: add psi to --variants");
  }
  return std::nullopt;
}

}  // namespace

Result<Variant> parse_variant(std::string_view text) {
  return parse_name(text, kVariants, "variant");
}

Result<Squeeze> parse_squeeze(std::string_view text) {
  return parse_name(text, kSqueezes, "squeeze");
}

Result<Order> parse_order(std::string_view text) { return parse_name(text, kOrders, "order"); }

Result<OrderChoice> parse_order_choice(std::string_view text) {
  if (text == "both") return OrderChoice::both;
  const auto order = parse_order(text);
  if (!order) {
    return fail(ErrorCode::invalid_argument,
                "'" + std::string(text) +
                    "' is not an order: there are fixed-first, psi-first, both, random");
  }
  switch (*order) {
    case Order::fixed_first:
      return OrderChoice::fixed_first;
    case Order::psi_first:
      return OrderChoice::psi_first;
    case Order::random:
      break;
  }
  return OrderChoice::random;
}

Result<std::vector<Variant>> parse_variants(std::string_view text) {
  return parse_list<Variant>(text, parse_variant);
}

Result<std::vector<Squeeze>> parse_squeezes(std::string_view text) {
  return parse_list<Squeeze>(text, parse_squeeze);
}

Result<std::vector<PlannedRun>> make_plan(const std::vector<SqueezePlan>& squeezes,
                                          std::uint64_t seed) {
  Prng prng(seed);
  std::vector<PlannedRun> runs;
  std::uint32_t trial = 0;
  for (const SqueezePlan& plan : squeezes) {
    if (const auto fault = find_fault(plan)) return std::unexpected(*fault);
    const bool swap = prng.below(2) == 1;
    std::uint32_t index = 0;
    for (const Order order : orders_for(plan, swap)) {
      ++trial;
      const bool fixed_before_psi = (index++ % 2 == 0) != swap;
      std::uint32_t position = 0;
      for (const Variant variant : sequence_for(order, fixed_before_psi, plan.variants, prng)) {
        runs.push_back({trial, plan.squeeze, order, position++, variant});
      }
    }
  }
  return runs;
}

}  // namespace kvpsi
