// SPDX-License-Identifier: MIT
// Ring<T, N>: the last N values, oldest first, without allocation. The policy's windows live here.
#pragma once

#include <array>
#include <cstddef>

#include "base/assert.h"

namespace kvpsi {

/// Keeps the last N values pushed; index 0 is the oldest kept. Not thread-safe.
template <class T, std::size_t N>
class Ring {
 public:
  void push(const T& value) {
    values_[(start_ + size_) % N] = value;
    if (size_ < N) {
      ++size_;
    } else {
      start_ = (start_ + 1) % N;
    }
  }
  void clear() { start_ = size_ = 0; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T& operator[](std::size_t i) const {
    KVPSI_ASSERT(i < size_);
    return values_[(start_ + i) % N];
  }
  const T& front() const { return (*this)[0]; }
  const T& back() const { return (*this)[size_ - 1]; }

 private:
  std::array<T, N> values_{};
  std::size_t start_ = 0;
  std::size_t size_ = 0;
};

}  // namespace kvpsi
