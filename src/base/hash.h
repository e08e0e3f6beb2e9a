// SPDX-License-Identifier: MIT
// FNV-1a over plain values: names a configuration or a policy state in the journal so that a
// replay can prove that it stands where the recorded run stood. Not for checksums of data.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace kvpsi {

/// An order-dependent 64-bit digest of the values added so far.
class Hash64 {
 public:
  void add(std::uint64_t value) {
    for (int i = 0; i < 8; ++i) {
      state_ = (state_ ^ (value & 0xff)) * 0x100000001b3ULL;
      value >>= 8;
    }
  }
  void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void add(T value) {
    add(static_cast<std::uint64_t>(value));
  }
  void add(std::string_view text) {
    for (const char c : text) add(static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace kvpsi
