// SPDX-License-Identifier: MIT
// What became of tokens that a running context had to do without: the books that P3, "nothing is
// lost", is checked against. Plain numbers. Next hops: counters.h keeps one for each sequence,
// conversation_run.cpp hands them to whoever asked.
#pragma once

#include <cstdint>

namespace kvpsi {

/// trimmed + spoiled = restored + reevaluated + lost + out(), as long as the host removes none of
/// them. A token of several sequences counts for the first.
struct TokenAccount {
  std::uint64_t trimmed = 0;      ///< taken out
  std::uint64_t spoiled = 0;      ///< not taken out, but their rows are gone all the same
  std::uint64_t restored = 0;     ///< their rows were read back
  std::uint64_t reevaluated = 0;  ///< computed anew
  std::uint64_t lost = 0;         ///< gone for good

  /// Neither back nor lost: their rows are in the file.
  constexpr std::uint64_t out() const { return trimmed + spoiled - restored - reevaluated - lost; }

  constexpr TokenAccount& operator+=(const TokenAccount& other) {
    trimmed += other.trimmed;
    spoiled += other.spoiled;
    restored += other.restored;
    reevaluated += other.reevaluated;
    lost += other.lost;
    return *this;
  }
  constexpr TokenAccount& operator-=(const TokenAccount& other) {
    trimmed -= other.trimmed;
    spoiled -= other.spoiled;
    restored -= other.restored;
    reevaluated -= other.reevaluated;
    lost -= other.lost;
    return *this;
  }
};

/// A sequence at one moment.
struct SequenceBooks {
  TokenAccount account;
  std::uint64_t live_tokens = 0;  ///< in the cache
};

}  // namespace kvpsi
