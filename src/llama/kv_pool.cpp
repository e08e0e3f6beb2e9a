// SPDX-License-Identifier: MIT
// See kv_pool.h. Residency is arithmetic between measurements: a cell that was written since the
// last release is resident. A page map reading of the whole cache costs up to 60 ns a page, so it
// follows actions and nothing else.
#include "llama/kv_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <numeric>

#include "base/bytes.h"
#include "base/clock.h"
#include "linux/pages.h"
#include "llama-kv-cache.h"
#include "llama/release_slices.h"
#include "llama/trim.h"

namespace kvpsi {

namespace {

/// Above this, correcting the arithmetic by page map would take longer than a safe point may.
constexpr std::uint64_t kMaxMeasuredBytes = std::uint64_t{1} << 30;

PageMap make_map(const KvLayout& layout) {
  return PageMap(layout.layouts, layout.buffers, page_bytes());
}

std::uint64_t to_unsigned(std::int64_t value) {
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

std::int64_t to_signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

KvPool::KvPool(EngineGate& gate, const llama_kv_cache& cache, llama_memory_t memory,
               const KvLayout& layout, const GovernOptions& options, bool elastic,
               Counters& counters)
    : GatedPool(PoolKind::kv, gate),
      cache_(cache),
      memory_(memory),
      layout_(layout),
      options_(options),
      elastic_(elastic),
      cache_streams_(cache.get_n_stream()),
      counters_(counters),
      map_(make_map(layout)),
      cells_(cache) {
  cells_.note_live();
  if (!elastic_) return;
  for (const BufferExtent& buffer : layout_.buffers) {
    const PageRange inside = round_inwards(buffer.begin, buffer.end);
    // Both are wishes: without them release still works, only less well.
    static_cast<void>(forbid_huge_pages({&inside, 1}));
    static_cast<void>(set_dont_fork({&inside, 1}));
  }
  const auto resident = resident_exclusive_bytes(map_.whole_pages());
  const std::uint64_t slack = 2 * layout_.tensors * page_bytes();
  if (resident && *resident > cells_.live() * layout_.bytes_per_cell + slack) cells_.note_all();
}

KvPool::~KvPool() = default;

void KvPool::let_go() {
  if (!elastic_) return;
  for (const BufferExtent& buffer : layout_.buffers) {
    const PageRange inside = round_inwards(buffer.begin, buffer.end);
    static_cast<void>(madvise(std::bit_cast<void*>(inside.begin), inside.bytes(), MADV_DOFORK));
  }
}

void KvPool::before_graph() {
  if (!copy_pending_) return;
  copy_pending_ = false;
  written_everywhere();  // a stream copy writes all rows of its target
}

void KvPool::on_cleared() {
  cells_.forget_all();
  residue_bytes_ = 0;
  resume_at_ = 0;
}

void KvPool::written_everywhere() {
  cells_.note_all();
  residue_stale_ = true;
  resume_at_ = 0;
}

std::uint64_t KvPool::resident_by_arithmetic() const {
  std::uint64_t bytes = cells_.touched() * layout_.row_bytes_per_cell;
  if (layout_.transposed_rows > 0) {
    const auto group = static_cast<std::uint32_t>(page_bytes() / layout_.transposed_cell_bytes);
    bytes += cells_.touched_groups(group) * layout_.transposed_rows * page_bytes();
  }
  return std::min(bytes, map_.reserved_bytes());
}

std::uint64_t KvPool::resident_now() const {
  if (!elastic_) return map_.reserved_bytes();
  return std::min(to_unsigned(to_signed(resident_by_arithmetic()) + residue_bytes_),
                  map_.reserved_bytes());
}

void KvPool::correct_residue() {
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

std::uint64_t KvPool::cells_above_floor() const {
  const std::uint64_t floor =
      (options_.kv_min_bytes + layout_.bytes_per_cell - 1) / layout_.bytes_per_cell;
  const std::uint64_t live = cells_.live();
  return live > floor ? live - floor : 0;
}

std::uint64_t KvPool::trimmable_cells() const {
  if (options_.trim == TrimMode::off) return 0;
  const std::uint64_t cells = std::min(count_droppable(cache_, rule()), cells_above_floor());
  return cells >= std::max(options_.min_prune, 1U) ? cells : 0;
}

std::uint64_t KvPool::granule_bytes() const {
  std::uint64_t bytes = 0;
  for (const TensorLayout& t : layout_.layouts) {
    const std::uint64_t page = page_bytes();
    bytes += t.rows > 1 ? 0 : (t.cell_bytes + page - 1) / page * page;
  }
  return bytes;
}

PoolView KvPool::look() {
  cells_.note_live();
  correct_residue();
  PoolView view;
  view.reserved_bytes = map_.reserved_bytes();
  view.cells_total = cells_.total();
  view.cells_live = cells_.live();
  view.bytes_per_cell = layout_.bytes_per_cell;
  view.live_bytes = view.cells_live * view.bytes_per_cell;
  view.resident_bytes = resident_now();
  view.granule_bytes = granule_bytes();
  view.trimmable_bytes = trimmable_cells() * view.bytes_per_cell;
  if (may_release()) {
    // A transposed V gives pages back only by the thousand cells: not promised.
    const std::uint64_t idle = (cells_.touched() - view.cells_live) * layout_.row_bytes_per_cell;
    const std::uint64_t spare =
        view.resident_bytes > view.live_bytes ? view.resident_bytes - view.live_bytes : 0;
    view.releasable_bytes = std::min(idle, spare);
  }
  return view;
}

bool KvPool::is_allowed(Verb verb, Moment moment) const {
  return verb == Verb::release || moment == Moment::before_decode ||
         (moment == Moment::at_rest && options_.trim_at_rest);
}

int KvPool::refusal(Verb verb) const {
  switch (verb) {
    case Verb::release:
      return may_release() ? 0 : EPERM;
    case Verb::trim:
      return options_.trim == TrimMode::off ? EPERM : 0;
    case Verb::compact:
    case Verb::spill:
    case Verb::restore:
      break;
  }
  return ENOTSUP;
}

Outcome KvPool::perform(const Action& action) {
  return action.verb == Verb::trim ? trim(action) : release(action.budget_us);
}

/// Gives back every page that holds no live cell, whatever amount was asked for: it costs nothing
/// but a page fault later.
Outcome KvPool::release(std::uint64_t budget_us) {
  cells_.note_live();
  Outcome outcome;
  const std::uint64_t idle = cells_.touched() - cells_.live();
  if (copy_pending_) {
    outcome.status = Status::more;
    return outcome;
  }
  if (idle == 0) return outcome;
  if (resume_at_ == 0) {
    pass_idle_cells_ = idle;
    swept_all_ = cells_.touched() == cells_.total();
  }
  return release_from(map_.free_pages(cells_.free_runs(map_.cells_per_page())), budget_us);
}

Outcome KvPool::release_from(std::span<const PageRange> ranges, std::uint64_t budget_us) {
  const SliceRelease slices = release_in_slices(ranges, resume_at_, budget_us);
  counters_.add_release(counters_.kv_bytes_released, slices.bytes_released, slices.took_us,
                        monotonic_us());
  Outcome outcome;
  outcome.bytes_released = slices.bytes_released;
  outcome.errno_value = slices.first_errno;
  residue_bytes_ -= to_signed(slices.bytes_released);
  resume_at_ = slices.resume_at;
  if (slices.first_errno != 0 && slices.bytes_released == 0) {
    outcome.status = Status::failed;
    resume_at_ = 0;
  } else if (resume_at_ != 0) {
    outcome.status = Status::more;
  } else {
    outcome.status = slices.bytes_released > 0 ? Status::done : Status::nothing;
    end_release_pass();
  }
  return outcome;
}

/// Cells that were freed behind the point where a long release stood are left for the next one.
void KvPool::end_release_pass() {
  if (cells_.touched() - cells_.live() > pass_idle_cells_) return;
  cells_.forget_free();
  residue_bytes_ = 0;
  residue_stale_ = true;
}

SinksWindow KvPool::rule() const {
  std::uint64_t cells = 1;
  const std::uint64_t page = page_bytes();
  for (const TensorLayout& t : layout_.layouts) {
    if (t.rows > 1) continue;
    // Whole pages of every tensor; where rows and pages never line up, about a page.
    const std::uint64_t exact = page / std::gcd(page, t.cell_bytes);
    cells = std::max(cells, exact <= 64 ? exact : (page + t.cell_bytes - 1) / t.cell_bytes);
  }
  return {.keep = options_.keep,
          .tail = options_.tail,
          .min_prune = options_.min_prune,
          .granule_cells = static_cast<std::uint32_t>(cells)};
}

Outcome KvPool::trim_cells(std::uint64_t wanted) {
  Outcome outcome;
  if (options_.trim == TrimMode::off) return outcome;
  cells_.note_live();
  const std::uint64_t dropped = drop_cells(cache_, memory_, rule(), wanted, cells_above_floor());
  if (dropped == 0) return outcome;
  counters_.prunes.fetch_add(1, std::memory_order_relaxed);
  counters_.tokens_trimmed.fetch_add(dropped, std::memory_order_relaxed);
  outcome.tokens_trimmed = dropped;
  outcome.status = Status::done;
  return outcome;
}

Outcome KvPool::trim(const Action& action) {
  const std::uint64_t per_cell = layout_.bytes_per_cell;
  Outcome outcome = trim_cells((action.bytes + per_cell - 1) / per_cell);
  if (outcome.tokens_trimmed == 0 || !may_release()) return outcome;
  // Pages that the time does not suffice for stay releasable; the request must not trim again.
  const Outcome released = release(action.budget_us);
  outcome.bytes_released = released.bytes_released;
  outcome.errno_value = released.errno_value;
  return outcome;
}

std::uint64_t KvPool::cells_left() const {
  const std::uint64_t live = cells_.live();
  std::uint64_t most = cells_.total();
  if (options_.kv_max_bytes > 0) {
    most = std::min(most, options_.kv_max_bytes / layout_.bytes_per_cell);
  }
  return most > live ? most - live : 0;
}

void KvPool::measure(ContextMemory& out) {
  cells_.note_live();
  out.kv_reserved_bytes = map_.reserved_bytes();
  out.kv_cells_live = cells_.live();
  out.kv_cells_total = cells_.total();
  out.kv_bytes_per_cell = layout_.bytes_per_cell;
  out.kv_live_bytes = out.kv_cells_live * layout_.bytes_per_cell;
  out.kv_resident_bytes = resident_exclusive_bytes(map_.whole_pages()).value_or(resident_now());
}

int KvPool::probe() {
  if (!may_release()) return 0;
  const auto free_pages = map_.free_pages(cells_.all_free_runs());
  if (free_pages.empty()) return 0;
  const PageRange first{free_pages[0].begin, free_pages[0].begin + page_bytes()};
  const auto released = release_pages({&first, 1}, 0);
  return released ? released->first_errno : released.error().errno_value;
}

SelfCheck KvPool::self_check() {
  if (!elastic_) return {false, 0, "the KV cache is not elastic (governor off)"};
  if (!options_.release) return {false, 0, "page release is switched off"};
  cells_.note_live();
  return check_release(map_.free_pages(cells_.all_free_runs()));
}

}  // namespace kvpsi
