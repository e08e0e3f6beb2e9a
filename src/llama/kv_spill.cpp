// SPDX-License-Identifier: MIT
// See kv_spill.h. A row that lies in memory is immutable until its cell is freed, so it may be
// written while the engine decodes; whether the cell is still the same is looked at before anything
// follows from the write.
#include "llama/kv_spill.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "llama/real_functions.h"

namespace kvpsi {

namespace {

constexpr std::uint64_t kSecondUs = 1'000'000;
/// A full or failing disk is not asked again for this long.
constexpr std::uint64_t kRefusedForUs = 10'000'000;

std::uint64_t time_left_us(std::uint64_t deadline_us) {
  const std::uint64_t now = monotonic_us();
  return now < deadline_us ? deadline_us - now : 0;
}

}  // namespace

Result<std::unique_ptr<KvSpill>> KvSpill::create(SpillStore& store, std::vector<KvPart*> parts,
                                                 llama_memory_t memory, std::uint64_t context,
                                                 const GovernOptions& options, Counters& counters) {
  std::uint64_t block_bytes = options.spill_block_bytes;
  for (const KvPart* const part : parts) {
    block_bytes = std::max(block_bytes, part->bytes_per_cell());
  }
  if (block_bytes > SpillStore::kMaxBlockBytes) {
    return fail(ErrorCode::unsupported, "a token's rows are too long for one block");
  }
  auto worker = SpillWorker::start(store, {.buffer_bytes = block_bytes});
  if (!worker) return std::unexpected(worker.error());
  return std::unique_ptr<KvSpill>(
      new KvSpill(store, std::move(parts), memory, context, options, counters, std::move(*worker)));
}

KvSpill::KvSpill(SpillStore& store, std::vector<KvPart*> parts, llama_memory_t memory,
                 std::uint64_t context, const GovernOptions& options, Counters& counters,
                 std::unique_ptr<SpillWorker> worker)
    : store_(store),
      worker_(std::move(worker)),
      parts_(std::move(parts)),
      memory_(memory),
      context_(context),
      idle_us_(options.spill_idle_us),
      park_us_(options.spill_park_us),
      counters_(counters),
      spilled_(*worker_),
      trimmed_(*worker_),
      lost_trimmed_(*worker_) {}

KvSpill::~KvSpill() {
  settle();
  forget_all();
}

void KvSpill::begin_use(const SeqSet& seqs) {
  note_use(seqs);
  in_use_ = seqs;
}

void KvSpill::end_use() { note_use(std::exchange(in_use_, {})); }

void KvSpill::note_use(const SeqSet& seqs) {
  const std::uint64_t now = monotonic_us();
  for (std::size_t s = 0; s < seqs.size(); ++s) {
    if (seqs.test(s)) used_us_[s] = now;
  }
}

std::uint64_t KvSpill::count_jobs(Work work) const {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(jobs_, [work](const Job& job) { return job.work == work; }));
}

std::uint64_t KvSpill::bytes_in(Work work) const {
  std::uint64_t bytes = 0;
  for (const Job& job : jobs_) {
    if (job.work != work) continue;
    bytes += work == Work::untrim ? job.tokens.count() * parts_.front()->bytes_per_cell()
                                  : job.block.bytes();
  }
  return bytes;
}

bool KvSpill::can_write() const {
  const bool refused = refused_us_ != 0 && monotonic_us() - refused_us_ < kRefusedForUs;
  return !refused && store_.room_bytes() > 0;
}

void KvSpill::refuse(int error) {
  refused_us_ = monotonic_us();
  refused_errno_ = error == 0 ? EIO : error;
  spans_.clear();
}

bool KvSpill::start_write(Work work, CellBlock block) {
  const std::optional<unsigned> slot = worker_->take_slot();
  if (!slot) return false;
  const std::span<std::byte> buffer = worker_->buffer(*slot);
  gather_rows(block.part->layout().layouts, block.stream, block.cells, buffer);
  SpillIdentity identity;
  identity.context = context_;
  identity.serial = ++serial_;
  identity.sequence = block.metas.front().seqs._Find_first();
  identity.first_position = static_cast<std::uint64_t>(block.metas.front().pos);
  identity.last_position = static_cast<std::uint64_t>(block.metas.back().pos);
  identity.last_layer = block.part->layout().tensors;
  const std::uint64_t bytes = block.cells.size() * block.part->bytes_per_cell();
  jobs_[*slot] = {work, std::move(block), {}, monotonic_us()};
  worker_->write(*slot, identity, bytes);
  return true;
}

SpillProgress KvSpill::page_out(std::uint64_t bytes, std::uint64_t deadline_us) {
  const Total before = out_;
  SpillProgress progress;
  const auto done = [&] { return out_.bytes - before.bytes; };
  bool found = true;
  while (true) {
    while (collect(0)) continue;
    if (!can_write()) progress.errno_value = refused_errno_ == 0 ? ENOSPC : refused_errno_;
    CellBlock block;
    found = found && progress.errno_value == 0 && done() + bytes_in(Work::page_out) < bytes &&
            choose_idle(block);
    if (found && start_write(Work::page_out, std::move(block))) continue;
    if (done() >= bytes || worker_->is_idle()) break;
    if (!collect(time_left_us(deadline_us))) break;
  }
  progress.bytes = done();
  progress.tokens = out_.tokens - before.tokens;
  const bool enough = progress.bytes >= bytes;
  if (!enough && count_jobs(Work::page_out) > 0) {
    progress.status = Status::more;
  } else if (progress.bytes > 0) {
    progress.status = Status::done;
  } else {
    progress.status = progress.errno_value != 0 ? Status::failed : Status::nothing;
  }
  return progress;
}

SpillProgress KvSpill::trim(std::span<const TrimSpan> spans, std::uint64_t deadline_us) {
  spans_.insert(spans_.end(), spans.begin(), spans.end());
  const Total before = cut_;
  SpillProgress progress;
  while (true) {
    while (collect(0)) continue;
    commit_trims();
    if (!can_write()) {
      progress.errno_value = refused_errno_ == 0 ? ENOSPC : refused_errno_;
      spans_.clear();
    }
    CellBlock block;
    if (count_jobs(Work::none) > 0 && choose_span(block)) {
      start_write(Work::trim, std::move(block));
      continue;
    }
    if (!is_trimming() || !collect(time_left_us(deadline_us))) break;
  }
  progress.bytes = cut_.bytes - before.bytes;
  progress.tokens = cut_.tokens - before.tokens;
  if (is_trimming()) {
    progress.status = Status::more;
  } else if (progress.tokens > 0) {
    progress.status = Status::done;
  } else {
    progress.status = progress.errno_value != 0 ? Status::failed : Status::nothing;
  }
  return progress;
}

bool KvSpill::collect(std::uint64_t wait_us) {
  const auto ended = worker_->next_ended(wait_us);
  if (!ended) return false;
  Job job = std::exchange(jobs_[ended->slot], Job{});
  switch (job.work) {
    case Work::page_out:
    case Work::trim:
      end_write(job, ended->result);
      break;
    case Work::page_in:
      end_page_in(job, ended->slot, ended->result.has_value());
      break;
    case Work::untrim:
      end_untrim(job, ended->slot, ended->result.has_value());
      break;
    case Work::none:
      break;
  }
  worker_->give_back(ended->slot);
  return true;
}

void KvSpill::end_write(Job& job, const Result<SpillBlock>& result) {
  if (!result) return refuse(result.error().errno_value);
  job.block.where = *result;
  counters_.bytes_spilled.fetch_add(result->bytes, std::memory_order_relaxed);
  if (job.work == Work::page_out) return commit_page_out(job);
  written_.push_back(std::move(job));
}

void KvSpill::commit_trims() {
  for (; may_change_ && !written_.empty(); written_.pop_front()) commit_trim(written_.front());
}

void KvSpill::commit_page_out(Job& job) {
  bool used = false;
  for (std::size_t s = 0; s < used_us_.size(); ++s) {
    used = used || (job.block.owners.test(s) && used_us_[s] >= job.t_us);
  }
  if (used || job.block.count() == 0) return worker_->erase(job.block.where);
  out_.bytes += job.block.bytes();
  out_.tokens += job.block.count();
  spilled_.add(std::move(job.block));
}

/// The rows are in the file: now the tokens may leave. All or none, so that a block is what it
/// says. A span that was decoded into or shared meanwhile keeps its cells and is dropped from the
/// file.
void KvSpill::commit_trim(Job& job) {
  const bool is_whole =
      job.block.count() == job.block.cells.size() && job.block.owners.count() == 1;
  if (!is_whole) return worker_->erase(job.block.where);
  const llama_seq_id seq = first_owner(job.block.metas.front());
  const std::vector<CellMeta>& metas = job.block.metas;
  job.block.part->cells().note_live();  // the freed cells still hold pages
  for (std::size_t i = 0; i < metas.size();) {
    std::size_t end = i + 1;
    while (end < metas.size() && metas[end].pos <= metas[end - 1].pos + 1) ++end;
    __real_llama_memory_seq_rm(memory_, seq, metas[i].pos, metas[end - 1].pos + 1);
    i = end;
  }
  cut_.tokens += metas.size();
  cut_.bytes += metas.size() * job.block.part->bytes_per_cell();
  counters_.tokens_of(seq).trimmed += metas.size();
  trimmed_.add({job.block.stream, metas, job.block.where});
}

/// Waits as long as it takes, or not at all when nothing is on its way.
bool KvSpill::wait_for_one() {
  while (count_jobs(Work::none) < jobs_.size()) {
    if (collect(kSecondUs)) return true;
  }
  return false;
}

void KvSpill::settle() {
  spans_.clear();
  while (wait_for_one()) continue;
  commit_trims();
}

void KvSpill::settle_untrims() {
  while (count_jobs(Work::untrim) > 0) wait_for_one();
}

void KvSpill::look_again(bool decoded) {
  spilled_.look_again(decoded);
  for (Job& job : jobs_) {
    if (job.work == Work::none || job.work == Work::untrim) continue;
    const bool is_out = job.work == Work::page_in;
    job.block.look_again(decoded, [&](std::uint32_t cell) {
      if (is_out) job.block.part->cells().set_out(job.block.stream, cell, false);
    });
  }
  for (Job& job : written_) job.block.look_again(decoded, [](std::uint32_t) {});
  for (CellBlock& block : lost_blocks_) block.look_again(decoded, [](std::uint32_t) {});
  std::erase_if(lost_blocks_, [](const CellBlock& block) { return block.count() == 0; });
}

/// The cache is empty: what is still on its way finds no cell to come from or go to.
void KvSpill::forget_all() {
  cancel_trims(-1);
  look_again(false);
  settle();
  spilled_.clear();
  trimmed_.clear();
  lost_blocks_.clear();
  lost_trimmed_.clear();
}

/// A block without cells is not trimmed when its write ends.
void KvSpill::cancel_trims(llama_seq_id seq) {
  const auto is_of = [seq](const Job& job) {
    return job.work == Work::trim &&
           (seq < 0 || job.block.owners.test(static_cast<std::size_t>(seq)));
  };
  std::erase_if(spans_, [seq](const TrimSpan& span) { return seq < 0 || span.seq == seq; });
  for (Job& job : jobs_) {
    if (is_of(job)) std::ranges::fill(job.block.cells, kNoCell);
  }
  std::erase_if(written_, [&](const Job& job) {
    if (!is_of(job)) return false;
    worker_->erase(job.block.where);
    return true;
  });
}

void KvSpill::seq_rm(llama_seq_id seq, llama_pos p0, llama_pos p1) {
  trimmed_.seq_rm(seq, p0, p1);
  lost_trimmed_.seq_rm(seq, p0, p1);
}

void KvSpill::seq_cp(llama_seq_id from, llama_seq_id to, llama_pos p0, llama_pos p1) {
  trimmed_.seq_cp(from, to, p0, p1);
  lost_trimmed_.seq_cp(from, to, p0, p1);
}

void KvSpill::seq_keep(llama_seq_id seq) {
  const std::uint32_t stream = parts_.front()->cache().get_stream(seq);
  trimmed_.seq_keep(seq, stream);
  lost_trimmed_.seq_keep(seq, stream);
}

std::uint64_t KvSpill::spilled_bytes() const { return spilled_.bytes() + bytes_in(Work::page_in); }

std::uint64_t KvSpill::parked_bytes() const {
  return spilled_.bytes() - spilled_.bytes(~parked_sequences());
}

std::uint64_t KvSpill::trimmed_bytes() const {
  return trimmed_.count() * parts_.front()->bytes_per_cell() + bytes_in(Work::untrim);
}

bool KvSpill::holds(const SeqSet& seqs) const {
  if (spilled_.find(seqs) != nullptr) return true;
  return std::ranges::any_of(jobs_, [&seqs](const Job& job) {
    return job.work == Work::page_in && (job.block.owners & seqs).any();
  });
}

SeqSet KvSpill::lost_owners() const {
  SeqSet owners;
  for (const CellBlock& block : lost_blocks_) owners |= block.owners;
  lost_trimmed_.for_each([&owners](const CellMeta& token) { owners |= token.seqs; });
  return owners;
}

LostCells KvSpill::take_lost() {
  settle();
  SeqSet owners;
  while (owners != lost_owners()) {  // what comes back for them may be lost too
    owners = lost_owners();
    bring_back(owners);
  }
  LostCells lost{std::exchange(lost_blocks_, {}), {}};
  while (const TrimmedBlock* const block = lost_trimmed_.find(-1, 0, -1)) {
    lost.trimmed.push_back(lost_trimmed_.take(block));
    worker_->erase(lost.trimmed.back().where);
  }
  return lost;
}

}  // namespace kvpsi
