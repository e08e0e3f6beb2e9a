// SPDX-License-Identifier: MIT
// See governed_contexts.h. Order of locks: mutex_ or a group's own, then the engine's; what holds
// the engine's takes neither.
#include "llama/governed_contexts.h"

#include <algorithm>
#include <utility>

#include "llama-model.h"

namespace kvpsi {

GovernedContexts::GovernedContexts(const GovernOptions& options, OnContext on_context,
                                   OnChange on_change)
    : options_(options),
      on_context_(std::move(on_context)),
      on_change_(std::move(on_change)),
      heap_(is_elastic() && options.release, heap_counters_),
      pools_{&kv_, &scratch_, &heap_} {
  set_context_observer(this);
}

GovernedContexts::~GovernedContexts() { set_context_observer(nullptr); }

PoolGroup* GovernedContexts::group_of(PoolKind kind) {
  if (kind == PoolKind::kv) return &kv_;
  return kind == PoolKind::scratch ? &scratch_ : nullptr;
}

bool GovernedContexts::on_created(llama_model* model, llama_context* context) {
  if (on_change_) on_change_();
  if (model->hparams.no_alloc) return true;
  return on_context_(attach(model, context));
}

ContextReport GovernedContexts::attach(llama_model* model, llama_context* context) {
  ContextReport report;
  auto governed = GovernedContext::attach(model, context, options_);
  if (!governed) {
    report.ungoverned.push_back(governed.error().what);
    return report;
  }
  const auto ungoverned = (*governed)->ungoverned();
  report.ungoverned.assign(ungoverned.begin(), ungoverned.end());
  report.self_check = (*governed)->self_check();
  report.weights = (*governed)->weights();
  for (MemoryPool* const pool : (*governed)->pools()) {
    PoolGroup* const group = group_of(pool->kind());
    if (group != nullptr && !group->add(*pool)) {
      report.ungoverned.push_back("there are too many contexts: this one is not governed");
    }
  }
  const std::lock_guard lock(mutex_);
  members_.push_back({context, std::move(*governed)});
  return report;
}

void GovernedContexts::on_freeing(const llama_context* context) {
  if (on_change_) on_change_();
  std::unique_ptr<GovernedContext> dying;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(members_, context, &Member::context);
    if (found == members_.end()) return;
    dying = std::move(found->governed);
    members_.erase(found);
    std::ranges::move(dying->take_losses(), std::back_inserter(losses_));
  }
  for (MemoryPool* const pool : dying->pools()) {
    if (PoolGroup* const group = group_of(pool->kind())) group->remove(*pool);
  }
}

std::vector<std::string> GovernedContexts::take_losses() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> losses = std::exchange(losses_, {});
  for (const Member& member : members_) {
    std::ranges::move(member.governed->take_losses_at_rest(), std::back_inserter(losses));
  }
  return losses;
}

}  // namespace kvpsi
