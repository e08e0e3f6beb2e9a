// SPDX-License-Identifier: MIT
// FixedVector<T, N>: a vector whose storage is inside it, for records that the governor fills
// while memory is short: nothing here allocates. A full one refuses, it never grows.
#pragma once

#include <array>
#include <cstddef>

#include "base/assert.h"

namespace kvpsi {

/// At most N values in insertion order. T needs a default constructor. Not thread-safe.
template <class T, std::size_t N>
class FixedVector {
 public:
  using value_type = T;

  /// Appends; false (and nothing changes) when full.
  bool push_back(const T& value) {
    if (size_ == N) return false;
    values_[size_++] = value;
    return true;
  }
  void clear() { size_ = 0; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == N; }
  static constexpr std::size_t capacity() { return N; }

  T& operator[](std::size_t i) {
    KVPSI_ASSERT(i < size_);
    return values_[i];
  }
  const T& operator[](std::size_t i) const {
    KVPSI_ASSERT(i < size_);
    return values_[i];
  }
  T* begin() { return values_.data(); }
  T* end() { return values_.data() + size_; }
  const T* begin() const { return values_.data(); }
  const T* end() const { return values_.data() + size_; }

  bool operator==(const FixedVector& other) const {
    if (size_ != other.size_) return false;
    for (std::size_t i = 0; i < size_; ++i) {
      if (!(values_[i] == other.values_[i])) return false;
    }
    return true;
  }

 private:
  std::array<T, N> values_{};
  std::size_t size_ = 0;
};

}  // namespace kvpsi
