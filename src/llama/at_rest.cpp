// SPDX-License-Identifier: MIT
// Paired blocks of a stock and a governed context; see at_rest.h.
#include "llama/at_rest.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/prng.h"
#include "govern/governor.h"
#include "linux/kernel_source.h"
#include "linux/own_memory.h"
#include "llama/elastic.h"
#include "llama/engine.h"
#include "llama/paired_arm.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kIdleUs = 10'000'000;

struct MonotonicClock final : Clock {
  std::uint64_t now_us() override { return monotonic_us(); }
};

struct NoSink final : EventSink {
  void on_tick(const Tick&) override {}
};

/// Bit for bit: NaN would be equal to nothing otherwise.
bool last_logits_equal(PairedArm& a, PairedArm& b) {
  const auto of_a = last_logits(a);
  const auto of_b = last_logits(b);
  return std::memcmp(of_a.data(), of_b.data(), of_a.size() * sizeof(float)) == 0;
}

/// The governor as `kvpsi run` has it, startable and stoppable around a block.
class RestGovernor {
 public:
  RestGovernor(std::unique_ptr<KernelSource> source, GovernedContext& context)
      : source_(std::move(source)), governor_({}, *source_, context.pools(), clock_, sink_) {}

  void start() {
    thread_ = std::jthread([this](std::stop_token stop) {
      const std::uint64_t before = thread_cpu_us();
      governor_.run(std::move(stop));
      cpu_us_ += thread_cpu_us() - before;
    });
  }
  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  std::uint64_t cpu_us() const { return cpu_us_; }

 private:
  std::unique_ptr<KernelSource> source_;
  MonotonicClock clock_;
  NoSink sink_;
  Governor governor_;
  std::uint64_t cpu_us_ = 0;
  std::jthread thread_;
};

struct Times {
  std::uint64_t wall_us = 0;
  std::uint64_t cpu_us = 0;
};

template <class Work>
Result<Times> time_block(Work&& work) {
  const std::uint64_t wall = monotonic_us();
  const std::uint64_t cpu = process_cpu_us();
  if (auto done = work(); !done) return std::unexpected(done.error());
  return Times{monotonic_us() - wall, process_cpu_us() - cpu};
}

Result<AtRestPair> measure_pair(PairedArm& stock, PairedArm& governed, RestGovernor& governor,
                                std::vector<Token>& tokens, std::uint32_t block, bool stock_first) {
  AtRestPair pair;
  for (int turn = 0; turn < 2; ++turn) {
    const bool is_stock = (turn == 0) == stock_first;
    const auto times = time_block([&]() -> Result<void> {
      if (is_stock) return decode_next(stock, tokens, block, 1);
      governor.start();
      auto done = decode_next(governed, tokens, block, 1);
      governor.stop();
      return done;
    });
    if (!times) return std::unexpected(times.error());
    (is_stock ? pair.stock_us : pair.governed_us) = times->wall_us;
    (is_stock ? pair.stock_cpu_us : pair.governed_cpu_us) = times->cpu_us;
  }
  return pair;
}

Result<void> measure_pairs(const AtRestOptions& options, PairedArm& stock, PairedArm& governed,
                           RestGovernor& governor, std::vector<Token>& tokens,
                           AtRestResult& result) {
  Prng order(options.seed + 1);
  for (std::uint32_t i = 0; i < options.pairs; ++i) {
    const auto pair =
        measure_pair(stock, governed, governor, tokens, options.block_tokens, order.below(2) == 0);
    if (!pair) return std::unexpected(pair.error());
    result.pairs.push_back(*pair);
    result.logits_equal = result.logits_equal && last_logits_equal(stock, governed);
    if (options.on_progress) options.on_progress(i + 1, options.pairs);
  }
  return {};
}

void measure_idle(RestGovernor& governor, AtRestResult& result) {
  const std::uint64_t cpu_before = governor.cpu_us();
  const std::uint64_t start = monotonic_us();
  governor.start();
  while (monotonic_us() - start < kIdleUs) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  governor.stop();
  result.idle_wall_us = monotonic_us() - start;
  result.idle_cpu_us = governor.cpu_us() - cpu_before;
}

std::uint64_t anon_bytes() {
  const auto memory = read_own_memory();
  return memory ? memory->anon_bytes : 0;
}

}  // namespace

Result<AtRestResult> measure_at_rest(const AtRestOptions& options) {
  EngineOptions engine_options;
  engine_options.model = options.model;
  engine_options.n_ctx = options.n_ctx;
  engine_options.threads = options.threads;
  if (options.prompt_tokens + options.pairs * options.block_tokens > options.n_ctx) {
    return fail(ErrorCode::invalid_argument, "that many pairs do not fit the context");
  }
  set_elastic(false);
  PairedArm stock;
  auto stock_engine = Engine::load(engine_options);
  if (!stock_engine) return std::unexpected(stock_engine.error());
  stock.engine = std::move(*stock_engine);

  set_elastic(true);
  PairedArm governed;
  auto governed_engine = Engine::load(engine_options);
  if (!governed_engine) return std::unexpected(governed_engine.error());
  governed.engine = std::move(*governed_engine);
  auto context = GovernedContext::attach(governed.engine->model(), governed.engine->context(), {});
  if (!context) return std::unexpected(context.error());

  auto tokens = make_token_ids(
      options.seed, options.prompt_tokens + options.pairs * options.block_tokens, *stock.engine);
  for (PairedArm* arm : {&stock, &governed}) {
    auto done = decode_next(*arm, tokens, options.prompt_tokens, engine_options.n_batch);
    if (!done) return std::unexpected(done.error());
  }

  AtRestResult result;
  const std::uint64_t anon_before = anon_bytes();
  auto source = KernelSource::open({});
  if (!source) return std::unexpected(source.error());
  RestGovernor governor(std::move(*source), **context);
  measure_idle(governor, result);
  const std::uint64_t anon_after = anon_bytes();
  result.governor_bytes = anon_after > anon_before ? anon_after - anon_before : 0;

  auto done = measure_pairs(options, stock, governed, governor, tokens, result);
  if (!done) return std::unexpected(done.error());
  return result;
}

}  // namespace kvpsi
