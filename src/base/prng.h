// SPDX-License-Identifier: MIT
// A small seeded generator (xoshiro256**, Blackman and Vigna 2018) whose sequence is the same on
// every platform, unlike the standard library's distributions. Everything random in the project
// follows from one printed seed.
#pragma once

#include <array>
#include <cstdint>

namespace kvpsi {

/// Seeded pseudo-random numbers. Copyable; not thread-safe; not for secrets.
class Prng {
 public:
  explicit Prng(std::uint64_t seed) {
    for (auto& word : state_) {  // splitmix64, as the authors advise for seeding
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

  /// Uniform in [0, bound); 0 for bound 0. The modulo bias is below 2^-32 for our bounds.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }

  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  static std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace kvpsi
