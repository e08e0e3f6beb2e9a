// SPDX-License-Identifier: MIT
// The memory pools of the synthetic engine. As the real ones of `kvpsi run` (src/llama): while a
// decode runs a request waits for the next safe point, and no safe point takes longer than 20 ms.
// Bytes told are those that really came back. Next hop: engine_model.h.
#pragma once

#include <cstdint>
#include <optional>

#include "base/fixed_vector.h"
#include "govern/ports.h"
#include "sim/engine_model.h"

namespace kvpsi {

class SimPool : public MemoryPool {
 public:
  /// `now_us` is the machine's clock; both outlive the pool.
  SimPool(PoolKind kind, EngineModel& engine, const std::uint64_t& now_us)
      : engine_(engine), now_us_(now_us), kind_(kind) {}

  PoolKind kind() const final { return kind_; }
  Outcome apply(const Action& action) final;
  void drain(Outcomes& ended) final;

  /// Serves what waits, for at most 20 ms of simulated work: everything.
  void serve();
  /// From now on nothing comes back (the pages are locked), or does again.
  void set_refusing(bool refusing) { is_refusing_ = refusing; }
  std::uint64_t bytes_released() const { return bytes_released_; }

 protected:
  virtual bool knows(Verb verb) const = 0;
  /// Carries on with it within budget_us; `so_far` sums up earlier safe points. Status, bytes,
  /// tokens and duration are filled in.
  virtual void perform(const Action& action, const Outcome& so_far, std::uint64_t budget_us,
                       Outcome& outcome) = 0;

  EngineModel& engine_;
  const std::uint64_t& now_us_;
  bool is_refusing_ = false;

 private:
  struct Request {
    Action action;
    Outcome so_far;
    bool operator==(const Request&) const = default;
  };
  Outcome answer(const Action& action, Status status, std::int64_t error = 0) const;
  Outcome run(const Action& action, const Outcome& so_far, std::uint64_t budget_us);
  bool is_overruled(const Request& request) const;

  const PoolKind kind_;
  FixedVector<Request, 8> requests_;
  Outcomes ended_;
  std::uint64_t bytes_released_ = 0;
};

class KvSimPool final : public SimPool {
 public:
  /// Without a disk nothing is spilled, and what is trimmed is gone. The disk outlives the pool.
  KvSimPool(EngineModel& engine, const std::uint64_t& now_us, SimDisk* disk = nullptr)
      : SimPool(PoolKind::kv, engine, now_us), disk_(disk) {}
  PoolView view() override;
  void set_budget(std::optional<std::uint64_t> live_bytes_most) override;
  /// What the disk takes, as far as the pool knows.
  std::uint64_t disk_room_bytes() const;

 protected:
  bool knows(Verb verb) const override;
  void perform(const Action& action, const Outcome& so_far, std::uint64_t budget_us,
               Outcome& outcome) override;

 private:
  void release(std::uint64_t budget_us, Outcome& outcome);
  void trim(std::uint64_t tokens, std::uint64_t budget_us, Outcome& outcome);
  void spill(std::uint64_t tokens, std::uint64_t budget_us, Outcome& outcome);
  void restore(std::uint64_t tokens, std::uint64_t budget_us, Outcome& outcome);
  std::uint64_t write(std::uint64_t tokens, std::uint64_t budget_us, Outcome& outcome);
  std::uint64_t move(std::uint64_t bytes, std::uint64_t budget_us, Outcome& outcome);
  bool drops() const { return engine_.spec().trim == TrimRule::eager; }

  SimDisk* const disk_;
  std::uint64_t refused_until_us_ = 0;
};

class ScratchSimPool final : public SimPool {
 public:
  ScratchSimPool(EngineModel& engine, const std::uint64_t& now_us)
      : SimPool(PoolKind::scratch, engine, now_us) {}
  PoolView view() override;

 protected:
  bool knows(Verb verb) const override { return verb == Verb::release; }
  void perform(const Action& action, const Outcome& so_far, std::uint64_t budget_us,
               Outcome& outcome) override;
};

}  // namespace kvpsi
