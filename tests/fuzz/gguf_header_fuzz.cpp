// SPDX-License-Identifier: MIT
// Any bytes: the GGUF header parser answers or refuses, and what it answers is usable.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/gguf_header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::uint64_t file_bytes : {std::uint64_t{size}, std::uint64_t{1} << 40}) {
    const auto header = kvpsi::parse_gguf_header(bytes, file_bytes);
    if (!header) continue;
    if (header->architecture.empty()) __builtin_trap();
    static_cast<void>(kvpsi::expect_repacked_bytes(*header, {.avx2 = true, .avx512 = true}));
    static_cast<void>(kvpsi::kv_bytes_per_token(*header));
  }
  return 0;
}
