// SPDX-License-Identifier: MIT
// See scratch_proof.h.
#include "linux/scratch_proof.h"

#include <sys/mman.h>

#include <cerrno>

#include "base/bytes.h"
#include "linux/pagemap.h"
#include "linux/pages.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kHugeBytes = 2 * kMiB;

/// A private anonymous mapping, unmapped at the end of the scope.
class Mapping {
 public:
  explicit Mapping(std::uint64_t bytes)
      : bytes_(bytes),
        base_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~Mapping() {
    if (base_ != MAP_FAILED) ::munmap(base_, bytes_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  bool ok() const { return base_ != MAP_FAILED; }
  char* base() const { return static_cast<char*>(base_); }

 private:
  std::uint64_t bytes_;
  void* base_;
};

}  // namespace

Result<ScratchProof> prove_pages_return(std::uint64_t mib, bool huge) {
  if (mib < 1 || mib > 4096) {
    return fail(ErrorCode::invalid_argument, "the proof takes 1 to 4096 MiB");
  }
  const std::uint64_t bytes = mib * kMiB;
  const Mapping mapping(bytes + kHugeBytes);
  if (!mapping.ok()) return fail(ErrorCode::exhausted, "scratch memory was refused", {}, errno);
  const auto mapped = reinterpret_cast<std::uintptr_t>(mapping.base());
  char* const base = mapping.base() + (kHugeBytes - mapped % kHugeBytes) % kHugeBytes;
  const auto begin = reinterpret_cast<std::uintptr_t>(base);
  const PageRange range{begin, begin + bytes};
  ::madvise(base, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);  // a wish: either is a proof
  for (std::uint64_t at = 0; at < bytes; at += page_bytes()) {
    *static_cast<volatile char*>(base + at) = 1;
  }
  ScratchProof proof{.mapped_bytes = bytes};
  const auto before = resident_exclusive_bytes({&range, 1});
  if (!before) return std::unexpected(before.error());
  const auto released = release_pages({&range, 1}, 0);
  if (!released) return std::unexpected(released.error());
  const auto after = resident_exclusive_bytes({&range, 1});
  if (!after) return std::unexpected(after.error());
  proof.resident_before_bytes = *before;
  proof.resident_after_bytes = *after;
  proof.bytes_returned = *before > *after ? *before - *after : 0;
  proof.release_us = released->took_us;
  proof.reads_zero = *static_cast<volatile char*>(base) == 0 &&
                     *static_cast<volatile char*>(base + bytes - 1) == 0;
  // Under real pressure the kernel may have taken pages away in between; only a page that stays
  // after the release disproves.
  proof.ok = released->ranges_failed == 0 && *before > 0 && *after == 0 && proof.reads_zero;
  return proof;
}

}  // namespace kvpsi
