// SPDX-License-Identifier: MIT
// What a benchmark runs, in which sequence: squeezes, variants, orders, trials. Pure and seeded:
// the same options give the same plan on every machine. Next hop: run_trial carries one step out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// One way to run the same generation.
enum class Variant : std::uint8_t {
  unsqueezed,    ///< stock llama.cpp beside the neighbour, without a limit: the yardstick
  fixed,         ///< stock llama.cpp inside the limit
  psi,           ///< governed
  psi_strict,    ///< governed, where psi may trim: rather slow than without a part of its context
  release_only,  ///< governed, never trims
  trim_only,     ///< trims cells, releases no page
  small,         ///< stock, with a cache of the size that psi ended with
};

/// How memory is made short.
enum class Squeeze : std::uint8_t {
  s1,         ///< lossless: the limit is below what fixed needs, above what is live
  s2,         ///< below the lossless floor: part of the running context has to leave memory
  s3,         ///< idle tenants: below all live KV, above what the one that decodes needs
  reference,  ///< the reference project's: the whole machine fills up in steps
};

/// In the sequence of tables and pictures.
inline constexpr std::array kVariants = {
    Variant::unsqueezed,   Variant::fixed,     Variant::psi,  Variant::psi_strict,
    Variant::release_only, Variant::trim_only, Variant::small};
inline constexpr std::array kSqueezes = {Squeeze::s1, Squeeze::s2, Squeeze::s3, Squeeze::reference};

/// Which of fixed and psi runs first.
enum class Order : std::uint8_t { fixed_first, psi_first, random };

/// What the user asks for by --variant-order.
enum class OrderChoice : std::uint8_t { fixed_first, psi_first, both, random };

constexpr std::string_view name(Variant variant) {
  switch (variant) {
    case Variant::unsqueezed:
      return "unsqueezed";
    case Variant::fixed:
      return "fixed";
    case Variant::psi:
      return "psi";
    case Variant::psi_strict:
      return "psi-strict";
    case Variant::release_only:
      return "release-only";
    case Variant::trim_only:
      return "trim-only";
    case Variant::small:
      return "small";
  }
  return "unknown";
}

constexpr std::string_view name(Squeeze squeeze) {
  switch (squeeze) {
    case Squeeze::s1:
      return "S1";
    case Squeeze::s2:
      return "S2";
    case Squeeze::s3:
      return "S3";
    case Squeeze::reference:
      return "reference";
  }
  return "unknown";
}

constexpr std::string_view name(Order order) {
  switch (order) {
    case Order::fixed_first:
      return "fixed-first";
    case Order::psi_first:
      return "psi-first";
    case Order::random:
      return "random";
  }
  return "unknown";
}

/// Whether psi may take context out of a running conversation under this squeeze.
constexpr bool may_trim(Squeeze squeeze) {
  return squeeze == Squeeze::s2 || squeeze == Squeeze::reference;
}

/// Names back to values. Errors: invalid_argument, with the names that exist.
Result<Variant> parse_variant(std::string_view text);
Result<Squeeze> parse_squeeze(std::string_view text);
Result<Order> parse_order(std::string_view text);
Result<OrderChoice> parse_order_choice(std::string_view text);

/// Comma-separated names, duplicates refused.
Result<std::vector<Variant>> parse_variants(std::string_view text);
Result<std::vector<Squeeze>> parse_squeezes(std::string_view text);

/// One run of the engine to be made.
struct PlannedRun {
  std::uint32_t trial = 0;  ///< 1, 2, ...: runs of one trial are compared with each other
  Squeeze squeeze = Squeeze::s1;
  Order order = Order::fixed_first;
  std::uint32_t position = 0;  ///< 0 = first run of its trial
  Variant variant = Variant::fixed;

  bool operator==(const PlannedRun&) const = default;
};

/// One squeeze with what is compared under it.
struct SqueezePlan {
  Squeeze squeeze = Squeeze::s1;
  std::vector<Variant> variants;
  OrderChoice orders = OrderChoice::both;
  std::uint32_t trials_per_order = 1;
};

/// All runs in sequence. Orders alternate trial by trial, which of them begins follows from the
/// seed; `random` shuffles the variants, with fixed before psi in half of the trials. `small`
/// always comes after psi, whose result sets its size. Squeezes follow one another as given.
/// Errors: invalid_argument for no trial, no variant, `small` without `psi`, or a variant that
/// means nothing under its squeeze.
Result<std::vector<PlannedRun>> make_plan(const std::vector<SqueezePlan>& squeezes,
                                          std::uint64_t seed);

}  // namespace kvpsi
