// SPDX-License-Identifier: MIT
// The one place of the library that ends the process; see assert.h for when that is right.
#include "base/assert.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace kvpsi::detail {

void assertion_failed(const char* expression, const char* file, int line) {
  char text[512];
  const int length = std::snprintf(text, sizeof text, "kvpsi: broken contract: %s at %s:%d\n",
                                   expression, file, line);
  if (length > 0) {
    const auto bytes =
        static_cast<size_t>(length) < sizeof text ? static_cast<size_t>(length) : sizeof text - 1;
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, bytes);
  }
  std::abort();
}

}  // namespace kvpsi::detail
