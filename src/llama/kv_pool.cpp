// SPDX-License-Identifier: MIT
// See kv_pool.h: what the governor asks for, and the view it gets.
#include "llama/kv_pool.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "llama-kv-cache.h"
#include "llama/kv_compact.h"
#include "llama/trim.h"

namespace kvpsi {

namespace {

/// Attention gets shorter by as much when the holes of a trim are packed.
constexpr double kHolesWorthPacking = 0.125;

std::uint64_t name_context(const llama_kv_cache& cache, const llama_context* context) {
  Hash64 hash;
  hash.add(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(context)));
  hash.add(monotonic_us());
  hash.add(static_cast<std::uint64_t>(cache.type_k()));
  hash.add(static_cast<std::uint64_t>(cache.type_v()));
  return hash.value();
}

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

/// 0 asks for everything.
std::uint64_t amount_of(const Action& action) {
  return action.bytes == 0 ? std::uint64_t{1} << 60 : action.bytes;
}

std::uint64_t after(std::uint64_t budget_us) { return monotonic_us() + budget_us; }

}  // namespace

KvPool::KvPool(EngineGate& gate, llama_context* context, std::vector<std::unique_ptr<KvPart>> parts,
               const GovernOptions& options, bool elastic, Counters& counters)
    : GatedPool(PoolKind::kv, gate),
      context_(context),
      memory_(llama_get_memory(context)),
      parts_(std::move(parts)),
      options_(options),
      elastic_(elastic),
      counters_(counters) {
  if (!options_.trim_only_allowed) rights_.allowed.set();
  if (options_.spill == nullptr || !may_release()) return;
  std::vector<KvPart*> all;
  for (const auto& part : parts_) all.push_back(part.get());
  auto spill = KvSpill::create(*options_.spill, std::move(all), memory_,
                               name_context(parts_.front()->cache(), context), options_, counters);
  if (spill) {
    spill_ = std::move(*spill);
    has_store_ = true;
  } else {
    losses_.push_back("nothing can be spilled: " + describe(spill.error()));
  }
}

KvPool::~KvPool() = default;

void KvPool::let_go(bool context_dies) {
  if (spill_) spill_->cancel_trims(-1);
  if (spill_ && !context_dies) {
    spill_->settle();
    bring_all_back(-1);
  }
  for (const auto& part : parts_) part->let_go();
  spill_.reset();
}

std::uint64_t KvPool::live_cells() const { return parts_.front()->cells().live(); }

std::uint64_t KvPool::cells_above_floor() const {
  const std::uint64_t per_cell = parts_.front()->bytes_per_cell();
  return minus(live_cells(), (options_.kv_min_bytes + per_cell - 1) / per_cell);
}

SinksWindow KvPool::rule() const {
  return {.keep = options_.keep,
          .tail = options_.tail,
          .min_prune = options_.min_prune,
          .granule_cells = parts_.front()->granule_cells()};
}

/// A model with a sliding window sees the middle of its context in some layers only, and its second
/// cache reuses cells on its own: nothing is trimmed there.
std::uint64_t KvPool::trimmable_cells() const {
  const bool allowed = options_.trim == TrimMode::eager ||
                       (options_.trim == TrimMode::last_resort && can_trim_reversibly());
  if (!allowed || has_window()) return 0;
  const std::uint64_t cells =
      std::min(count_droppable(parts_.front()->cache(), rule(), rights_), cells_above_floor());
  return cells >= std::max(options_.min_prune, 1U) ? cells : 0;
}

PoolView KvPool::look() {
  PoolView view;
  for (const auto& part : parts_) {
    part->refresh();
    view.reserved_bytes += part->reserved_bytes();
    view.live_bytes += part->live_bytes();
    view.resident_bytes += part->resident_bytes();
    view.releasable_bytes += part->releasable_bytes();
    view.compactable_bytes += part->compactable_bytes();
    view.granule_bytes += part->granule_bytes();
  }
  const KvPart& first = *parts_.front();
  view.cells_total = first.cells().total();
  view.cells_live = first.cells().used();
  view.bytes_per_cell = first.bytes_per_cell();
  view.surge_bytes = bytes_with(llama_n_batch(context_)) - bytes_with(0);
  view.trimmable_bytes = trimmable_cells() * view.bytes_per_cell;
  if (!spill_) return view;
  view.spillable_bytes = is_settled() ? spill_->spillable_bytes() : 0;
  view.idle_bytes = is_settled() ? spill_->idle_bytes() : 0;
  view.trimmed_bytes = spill_->trimmed_bytes();
  view.parked_bytes = spill_->parked_bytes();
  view.spilled_bytes = spill_->spilled_bytes() - view.parked_bytes + view.trimmed_bytes;
  return view;
}

/// Metadata changes between decodes only where the host has promised not to look.
bool KvPool::may_place(Moment moment) const {
  return moment == Moment::before_decode || (moment == Moment::at_rest && options_.trim_at_rest);
}

bool KvPool::is_allowed(Verb verb, Moment moment) const {
  switch (verb) {
    case Verb::release:
      return true;
    case Verb::spill:
      return moment != Moment::in_decode;
    case Verb::restore:
      return may_place(moment) ||
             (moment == Moment::at_rest && spill_ && spill_->trimmed_bytes() == 0);
    case Verb::compact:
    case Verb::trim:
      break;
  }
  return may_place(moment);
}

int KvPool::refusal(Verb verb) const {
  switch (verb) {
    case Verb::release:
    case Verb::compact:
      return may_release() ? 0 : EPERM;
    case Verb::trim:
      return can_trim() ? 0 : EPERM;
    case Verb::spill:
    case Verb::restore:
      break;
  }
  return has_store_ ? 0 : ENOTSUP;
}

Outcome KvPool::perform(const Action& action, Moment moment, const Outcome& so_far) {
  if (spill_) spill_->set_may_change(may_place(moment));
  Outcome outcome;
  switch (action.verb) {
    case Verb::release:
      outcome = release(action.budget_us);
      break;
    case Verb::compact:
      outcome = compact_cells(after(action.budget_us));
      break;
    case Verb::spill:
      outcome = spill(action, so_far);
      break;
    case Verb::restore:
      outcome = restore(action, moment, so_far);
      break;
    case Verb::trim:
      outcome = trim(action, so_far);
      break;
  }
  if (spill_) spill_->set_may_change(true);
  note_reduced_context();
  return outcome;
}

/// Gives back every page that holds no live cell, whatever amount was asked for: it costs nothing
/// but a page fault later.
Outcome KvPool::release(std::uint64_t budget_us) {
  Outcome outcome;
  if (copy_pending_) {
    outcome.status = Status::more;
    return outcome;
  }
  bool is_cut_short = false;
  for (const auto& part : parts_) {
    const SliceRelease slices = part->release(budget_us);
    outcome.bytes_released += slices.bytes_released;
    if (slices.first_errno != 0) outcome.errno_value = slices.first_errno;
    is_cut_short = is_cut_short || slices.resume_at != 0;
  }
  if (outcome.errno_value != 0 && outcome.bytes_released == 0) {
    outcome.status = Status::failed;
  } else if (is_cut_short) {
    outcome.status = Status::more;
  } else if (outcome.bytes_released > 0) {
    outcome.status = Status::done;
  }
  return outcome;
}

/// Rows out, pages back, as long as the pages that really came back are fewer than asked for:
/// sequences that interleave give theirs only together.
Outcome KvPool::spill(const Action& action, const Outcome& so_far) {
  Outcome outcome;
  if (!is_settled()) return outcome;
  const std::uint64_t missing = minus(amount_of(action), so_far.bytes_released);
  const SpillProgress out = spill_->page_out(missing, after(action.budget_us));
  const Outcome back = release(action.budget_us);
  outcome.status = out.status;
  outcome.errno_value = out.errno_value;
  outcome.bytes_spilled = out.bytes;
  outcome.bytes_released = back.bytes_released;
  const bool falls_short = back.bytes_released < missing && spill_->idle_bytes() > 0;
  if (out.status == Status::done && (falls_short || back.status == Status::more)) {
    outcome.status = Status::more;
  }
  return outcome;
}

Outcome KvPool::compact_cells(std::uint64_t deadline_us) {
  Outcome outcome;
  if (copy_pending_) return outcome;
  if (spill_) {
    spill_->poll();
    spill_->commit_trims();
    if (spill_->is_busy() || spill_->has_lost()) {  // these know cells by their numbers
      outcome.status = Status::more;
      return outcome;
    }
  }
  bool is_complete = true;
  for (const auto& part : parts_) {
    const Compaction packed = compact(*part, spill_ ? &spill_->spilled() : nullptr, deadline_us);
    is_complete = is_complete && packed.is_complete;
  }
  pack_wanted_ = !is_complete;
  const Outcome back = release(minus(deadline_us, monotonic_us()));
  outcome.bytes_released = back.bytes_released;
  outcome.errno_value = back.errno_value;
  outcome.status = is_complete ? back.status : Status::more;
  return outcome;
}

Outcome KvPool::restore(const Action& action, Moment moment, const Outcome& so_far) {
  Outcome outcome;
  if (!is_settled()) return outcome;
  const std::uint64_t missing = minus(amount_of(action), so_far.bytes_restored);
  if (missing == 0) return outcome;
  const SpillProgress in =
      spill_->restore(missing, may_place(moment), batch_tokens_, after(action.budget_us));
  outcome.status = in.status;
  outcome.errno_value = in.errno_value;
  outcome.bytes_restored = in.bytes;
  outcome.tokens_restored = in.tokens;
  return outcome;
}

/// Rows first, then the tokens, over as many safe points as the disk takes; where there is no file
/// and the user said eager, for good.
Outcome KvPool::trim(const Action& action, const Outcome& so_far) {
  Outcome outcome;
  const std::uint64_t per_cell = parts_.front()->bytes_per_cell();
  const std::uint64_t wanted = (amount_of(action) + per_cell - 1) / per_cell;
  if (spill_ && !is_settled()) {  // rows that are still to be copied or rotated
    outcome.status = Status::more;
    return outcome;
  }
  if (spill_ && (can_trim_reversibly() || spill_->is_trimming())) {
    TrimPlan plan;
    if (so_far.tokens_trimmed == 0 && so_far.duration_us == 0 && !spill_->is_trimming()) {
      plan = plan_trim(parts_.front()->cache(), rule(), rights_, wanted, cells_above_floor());
      if (!plan.spans.empty()) counters_.prunes.fetch_add(1, std::memory_order_relaxed);
    }
    const SpillProgress out = spill_->trim(plan.spans, after(action.budget_us));
    outcome.status = out.status;
    outcome.errno_value = out.errno_value;
    outcome.tokens_trimmed = out.tokens;
    outcome.bytes_spilled = out.bytes;
  } else if (options_.trim == TrimMode::eager && so_far.tokens_trimmed == 0) {
    outcome.tokens_trimmed = outcome.tokens_lost = drop_for_good(wanted);
    outcome.status = outcome.tokens_trimmed > 0 ? Status::done : Status::nothing;
  }
  if (outcome.tokens_trimmed == 0) return outcome;
  pack_wanted_ = has_holes(*parts_.front(), kHolesWorthPacking);
  if (!may_release()) return outcome;
  // Pages that the time does not suffice for stay releasable; the request must not trim again.
  outcome.bytes_released = release(action.budget_us).bytes_released;
  return outcome;
}

std::uint64_t KvPool::drop_for_good(std::uint64_t wanted) {
  const TrimPlan plan =
      plan_trim(parts_.front()->cache(), rule(), rights_, wanted, cells_above_floor());
  if (plan.cells == 0) return 0;
  parts_.front()->cells().note_live();
  std::uint64_t dropped = 0;
  for (const TrimSpan& span : plan.spans) {
    const std::uint64_t cells = drop_span(memory_, parts_.front()->cache(), span);
    counters_.tokens_of(span.seq).trimmed += cells;
    counters_.tokens_of(span.seq).lost += cells;
    dropped += cells;
  }
  if (spill_) spill_->look_again(false);
  counters_.prunes.fetch_add(1, std::memory_order_relaxed);
  return dropped;
}

}  // namespace kvpsi
