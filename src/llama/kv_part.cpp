// SPDX-License-Identifier: MIT
// See kv_part.h. Residency is arithmetic between measurements: a cell that was written since the
// last release is resident. A page map reading of the whole cache costs up to 60 ns a page, so it
// follows actions and nothing else.
#include "llama/kv_part.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "linux/pages.h"
#include "llama-kv-cache.h"

namespace kvpsi {

namespace {

/// Above this, correcting the arithmetic by page map would take longer than a safe point may.
constexpr std::uint64_t kMaxMeasuredBytes = std::uint64_t{1} << 30;

std::uint64_t to_unsigned(std::int64_t value) {
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

std::int64_t to_signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

KvPart::KvPart(const llama_kv_cache& cache, KvLayout layout, bool elastic, bool may_release,
               Counters& counters)
    : cache_(cache),
      layout_(std::move(layout)),
      elastic_(elastic),
      may_release_(may_release),
      counters_(counters),
      map_(layout_.layouts, layout_.buffers, page_bytes()),
      cells_(cache) {
  cells_.note_live();
  if (!elastic_) return;
  for (const BufferExtent& buffer : layout_.buffers) {
    const PageRange inside = round_inwards(buffer.begin, buffer.end);
    // Both are wishes: without them release still works, only less well.
    static_cast<void>(forbid_huge_pages({&inside, 1}));
    static_cast<void>(set_dont_fork({&inside, 1}));
  }
  note_all_if_resident();
}

void KvPart::let_go() {
  if (!elastic_) return;
  for (const BufferExtent& buffer : layout_.buffers) {
    const PageRange inside = round_inwards(buffer.begin, buffer.end);
    static_cast<void>(madvise(std::bit_cast<void*>(inside.begin), inside.bytes(), MADV_DOFORK));
  }
}

/// Small and locked buffers were filled with zeros, the others lost their pages.
void KvPart::on_cleared() {
  cells_.forget_all();
  residue_bytes_ = 0;
  resume_at_ = 0;
  note_all_if_resident();
}

void KvPart::note_all_if_resident() {
  if (!elastic_ || map_.reserved_bytes() > kMaxMeasuredBytes) return;
  const auto resident = resident_exclusive_bytes(map_.whole_pages());
  const std::uint64_t slack = 2 * layout_.tensors * page_bytes();
  if (resident && *resident > cells_.live() * layout_.bytes_per_cell + slack) {
    on_written_everywhere();
  }
}

void KvPart::on_written_everywhere() {
  cells_.note_all();
  residue_stale_ = true;
  resume_at_ = 0;
}

std::uint64_t KvPart::resident_by_arithmetic() const {
  std::uint64_t bytes = cells_.touched() * layout_.row_bytes_per_cell;
  if (layout_.transposed_rows > 0) {
    const auto group = static_cast<std::uint32_t>(page_bytes() / layout_.transposed_cell_bytes);
    bytes += cells_.touched_groups(group) * layout_.transposed_rows * page_bytes();
  }
  return std::min(bytes, map_.reserved_bytes());
}

std::uint64_t KvPart::resident_bytes() const {
  if (!elastic_) return map_.reserved_bytes();
  return std::min(to_unsigned(to_signed(resident_by_arithmetic()) + residue_bytes_),
                  map_.reserved_bytes());
}

std::uint64_t KvPart::releasable_bytes() const {
  if (!may_release_) return 0;
  // A transposed V gives pages back only by the thousand cells: not promised.
  const std::uint64_t idle = (cells_.touched() - cells_.live()) * layout_.row_bytes_per_cell;
  const std::uint64_t resident = resident_bytes();
  const std::uint64_t spare = resident > live_bytes() ? resident - live_bytes() : 0;
  return std::min(idle, spare);
}

std::uint64_t KvPart::compactable_bytes() const {
  if (!may_release_) return 0;
  const std::uint64_t resident = resident_bytes();
  const std::uint64_t spare = resident > live_bytes() ? resident - live_bytes() : 0;
  return std::min(cells_.fragmented(map_.cells_per_page()) * layout_.row_bytes_per_cell, spare);
}

std::uint64_t KvPart::granule_bytes() const {
  std::uint64_t bytes = 0;
  for (const TensorLayout& t : layout_.layouts) {
    const std::uint64_t page = page_bytes();
    bytes += t.rows > 1 ? 0 : (t.cell_bytes + page - 1) / page * page;
  }
  return bytes;
}

std::uint32_t KvPart::granule_cells() const {
  std::uint64_t cells = 1;
  const std::uint64_t page = page_bytes();
  for (const TensorLayout& t : layout_.layouts) {
    if (t.rows > 1) continue;
    // Whole pages of every tensor; where rows and pages never line up, about a page.
    const std::uint64_t exact = page / std::gcd(page, t.cell_bytes);
    cells = std::max(cells, exact <= 64 ? exact : (page + t.cell_bytes - 1) / t.cell_bytes);
  }
  return static_cast<std::uint32_t>(cells);
}

std::uint64_t KvPart::measured_bytes() {
  cells_.note_live();
  return resident_exclusive_bytes(map_.whole_pages()).value_or(resident_bytes());
}

void KvPart::refresh() {
  cells_.note_live();
  correct_residue();
}

void KvPart::correct_residue() {
  if (!residue_stale_ || !elastic_ || map_.reserved_bytes() > kMaxMeasuredBytes) return;
  residue_stale_ = false;
  const auto measured = resident_exclusive_bytes(map_.whole_pages());
  if (!measured) return;
  const std::uint64_t expected = resident_by_arithmetic() + 2 * layout_.tensors * page_bytes();
  if (*measured > expected + kMiB && cells_.touched() < cells_.total() && !swept_all_) {
    cells_.note_all();  // pages nobody wrote a row to, as huge pages bring them: take all next time
  }
  residue_bytes_ = to_signed(*measured) - to_signed(resident_by_arithmetic());
}

SliceRelease KvPart::release(std::uint64_t budget_us) {
  cells_.note_live();
  const std::uint64_t idle = cells_.touched() - cells_.live();
  if (idle == 0 || !may_release_) return {};
  if (resume_at_ == 0) {
    cells_.begin_pass();
    swept_all_ = cells_.touched() == cells_.total();
  }
  const std::span<const PageRange> pages = map_.free_pages(cells_.free_runs(map_.cells_per_page()));
  const SliceRelease slices = release_in_slices(pages, resume_at_, budget_us);
  counters_.add_release(counters_.kv_bytes_released, slices.bytes_released, slices.took_us,
                        monotonic_us());
  residue_bytes_ -= to_signed(slices.bytes_released);
  const bool failed = slices.first_errno != 0 && slices.bytes_released == 0;
  resume_at_ = failed ? 0 : slices.resume_at;
  if (!failed && resume_at_ == 0) end_release_pass();
  return slices;
}

/// Cells that were freed behind the point where a long release stood are left for the next one.
void KvPart::end_release_pass() {
  cells_.end_pass();
  residue_bytes_ = 0;
  residue_stale_ = true;
}

int KvPart::probe() {
  if (!may_release_) return 0;
  const auto free_pages = map_.free_pages(cells_.all_free_runs());
  if (free_pages.empty()) return 0;
  const PageRange first{free_pages[0].begin, free_pages[0].begin + page_bytes()};
  const auto released = release_pages({&first, 1}, 0);
  return released ? released->first_errno : released.error().errno_value;
}

SelfCheck KvPart::self_check() {
  cells_.note_live();
  return check_release(map_.free_pages(cells_.all_free_runs()));
}

}  // namespace kvpsi
