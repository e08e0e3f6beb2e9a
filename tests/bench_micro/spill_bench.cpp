// SPDX-License-Identifier: MIT
// Spilling through the worker against plain sequential O_DIRECT transfers of the same blocks on the
// same disk, in turn within one run: ratios of speed, and what it takes of memory meanwhile. Both
// go through memory larger than any cache, as a KV cache is: a virtual disk reads what the
// processor's cache still holds a third faster.
// KVPSI_SPILL_BENCH_MIB sets the amount (64 unless told otherwise; 1024 for docs/measurements.md).
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "govern/spill_worker.h"
#include "linux/own_memory.h"
#include "linux/spill_file.h"
#include "support/spill_disk.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kBlock = 3 * kMiB;
constexpr std::uint64_t kMemoryBlocks = 64;
constexpr std::uint64_t kWaitUs = 60'000'000;

std::uint64_t blocks_to_move() {
  const char* const mib = std::getenv("KVPSI_SPILL_BENCH_MIB");
  const std::uint64_t bytes = (mib == nullptr ? 64 : std::strtoull(mib, nullptr, 10)) * kMiB;
  return std::max<std::uint64_t>(bytes / kBlock, 1);
}

/// Block i of the memory that is spilled.
std::span<std::byte> block_of(std::span<std::byte> memory, std::uint64_t i) {
  return memory.subspan(i % kMemoryBlocks * kBlock, kBlock);
}

std::uint64_t anon_bytes() { return read_own_memory()->anon_bytes; }

/// What one pass over all blocks took; 0: a transfer failed.
using Seconds = double;
Seconds since(std::uint64_t began_us) {
  return static_cast<double>(monotonic_us() - began_us) / 1e6;
}

Seconds move_raw(int fd, std::span<std::byte> memory, std::uint64_t blocks, bool writes) {
  const std::uint64_t began_us = monotonic_us();
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const auto at = static_cast<off_t>(i * kBlock);
    const std::span<std::byte> buffer = block_of(memory, i);
    const ssize_t moved =
        writes ? ::pwrite(fd, buffer.data(), kBlock, at) : ::pread(fd, buffer.data(), kBlock, at);
    if (moved != static_cast<ssize_t>(kBlock)) return 0;
  }
  return since(began_us);
}

/// As the engine does: fills one buffer while the other is on its way. Without copying it shows
/// what store and worker cost alone.
class Spiller {
 public:
  Spiller(SpillStore& store, std::span<std::byte> memory, bool copies)
      : memory_(memory), copies_(copies) {
    worker_ = *SpillWorker::start(store, {.buffer_bytes = kBlock});
  }

  Seconds write(std::uint64_t blocks) {
    const std::uint64_t before = anon_bytes();
    const std::uint64_t began_us = monotonic_us();
    std::uint64_t serial = 0;
    while (held_.size() < blocks) {
      const auto slot = serial < blocks ? worker_->take_slot() : std::nullopt;
      if (slot) {
        const auto from = block_of(memory_, serial);
        if (copies_) std::memcpy(worker_->buffer(*slot).data(), from.data(), kBlock);
        worker_->write(*slot, {.serial = serial++}, kBlock);
        continue;
      }
      const auto ended = worker_->next_ended(kWaitUs);
      if (!ended || !ended->result) return 0;
      held_.push_back(*ended->result);
      worker_->give_back(ended->slot);
      if (held_.size() % 8 == 0) extra_bytes_ = std::max(extra_bytes_, anon_bytes() - before);
    }
    return since(began_us);
  }

  Seconds read() {
    const std::uint64_t began_us = monotonic_us();
    std::size_t asked = 0;
    for (std::size_t got = 0; got < held_.size();) {
      const auto slot = asked < held_.size() ? worker_->take_slot() : std::nullopt;
      if (slot) {
        worker_->read(*slot, held_[asked++]);
        continue;
      }
      const auto ended = worker_->next_ended(kWaitUs);
      if (!ended || !ended->result) return 0;
      const auto to = block_of(memory_, got);
      if (copies_) std::memcpy(to.data(), worker_->buffer(ended->slot).data(), kBlock);
      worker_->give_back(ended->slot);
      ++got;
    }
    return since(began_us);
  }

  const std::vector<SpillBlock>& held() const { return held_; }
  std::uint64_t extra_bytes() const { return extra_bytes_; }

 private:
  std::unique_ptr<SpillWorker> worker_;
  std::span<std::byte> memory_;
  bool copies_;
  std::vector<SpillBlock> held_;
  std::uint64_t extra_bytes_ = 0;
};

/// Bytes of the file in the page cache.
std::uint64_t cached_bytes(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || status.st_size == 0) return 0;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return 0;
  std::vector<unsigned char> in((size + 4'095) / 4'096);
  ::mincore(map, size, in.data());
  ::munmap(map, size);
  return 4'096 * static_cast<std::uint64_t>(
                     std::ranges::count_if(in, [](unsigned char c) { return (c & 1) != 0; }));
}

/// One round: raw, then spilled (or the other way round, in turn), written and read.
void spill_against_raw(benchmark::State& bench) {
  const test::DiskDir dir;
  SpillFileOptions options;
  options.directory = dir.path();
  options.place.allow_flash = true;
  if (bench.range(0) == 0) options.io_pressure.clear();
  Prng random(1);
  const test::PageBuffer source(kMemoryBlocks * kBlock);
  source.fill(random);
  const std::uint64_t blocks = blocks_to_move();
  const double mib = to_mib(blocks * kBlock);
  bool is_raw_first = false;
  for (auto _ : bench) {
    is_raw_first = !is_raw_first;
    const auto file = SpillFile::open(options);
    const UniqueFd raw(::open(dir.path().c_str(), O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600));
    if (!file || !raw.is_open()) {
      bench.SkipWithError("no directory on a disk with O_DIRECT");
      return;
    }
    Spiller spiller(**file, source.span(), bench.range(1) != 0);
    Seconds raw_write = is_raw_first ? move_raw(raw.get(), source.span(), blocks, true) : 0;
    const Seconds spill_write = spiller.write(blocks);
    if (!is_raw_first) raw_write = move_raw(raw.get(), source.span(), blocks, true);
    Seconds raw_read = is_raw_first ? move_raw(raw.get(), source.span(), blocks, false) : 0;
    const Seconds spill_read = spiller.read();
    if (!is_raw_first) raw_read = move_raw(raw.get(), source.span(), blocks, false);
    if (raw_write * spill_write * raw_read * spill_read == 0) {
      bench.SkipWithError("a transfer failed");
      return;
    }
    bench.counters["raw_write_MiB/s"] = mib / raw_write;
    bench.counters["write_ratio"] = raw_write / spill_write;
    bench.counters["raw_read_MiB/s"] = mib / raw_read;
    bench.counters["read_ratio"] = raw_read / spill_read;
    bench.counters["resident_MiB"] = to_mib(spiller.extra_bytes());
    bench.counters["cached_MiB"] = to_mib(cached_bytes((*file)->fd()));
    const std::uint64_t erased_us = monotonic_us();
    for (const SpillBlock& block : spiller.held()) (*file)->erase(block);
    bench.counters["erase_us"] = since(erased_us) * 1e6 / static_cast<double>(blocks);
    const std::uint64_t returned_us = monotonic_us();
    while ((*file)->return_space()) {
    }
    bench.counters["return_ms/GiB"] = since(returned_us) * 1e3 * 1024 / mib;
  }
}

// Paced: slower by design while others wait for the disk.
BENCHMARK(spill_against_raw)
    ->ArgNames({"paced", "copied"})
    ->Args({0, 0})
    ->Args({0, 1})
    ->Args({1, 1})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace kvpsi
