// SPDX-License-Identifier: MIT
// See cmd_serve_http.h.
#include "cli/cmd_serve_http.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace kvpsi {

void ServeHttp::set_not_governed(std::vector<std::string> clauses) {
  const std::lock_guard lock(mutex_);
  not_governed_ = std::move(clauses);
}

Governor* ServeHttp::acting() const {
  GovernorThread* const thread = governor_.load();
  return thread != nullptr && thread->is_enabled() ? thread->governor() : nullptr;
}

Admission ServeHttp::judge(Workload work) const {
  GovernorThread* const thread = governor_.load();
  if (!admission_ || thread == nullptr || !thread->is_enabled()) return {};
  const std::optional<Tick> tick = thread->last_tick();
  if (!tick) return {};
  work.now_us = monotonic_us();
  return admit(*tick, work);
}

std::expected<RequestWish, HttpResponse> ServeHttp::begin_work(
    std::string_view body, const std::function<bool()>& is_gone) {
  const auto wish = read_request_wish(body);
  if (!wish) {
    return std::unexpected(make_error(400, "invalid_request_error", wish.error()));
  }
  const Admission admission = gate_.enter(is_gone);
  if (admission.admits()) {
    admitted_.fetch_add(1);
    return *wish;
  }
  refused_[static_cast<std::size_t>(admission.refusal)].fetch_add(1);
  return std::unexpected(make_refusal(admission));
}

void ServeHttp::end_work(bool is_reduced) {
  if (is_reduced) reduced_.fetch_add(1);
  gate_.leave();
}

ServerSnapshot ServeHttp::snapshot() const {
  ServerSnapshot now = facts_;
  now.uptime_s = (monotonic_us() - start_us_) / 1'000'000;
  {
    const std::lock_guard lock(mutex_);
    now.not_governed = not_governed_;
  }
  now.requests = {.running = gate_.running(),
                  .waiting = gate_.waiting(),
                  .admitted = admitted_.load(),
                  .reduced = reduced_.load()};
  std::ranges::copy(refused_, now.requests.refused.begin());
  now.admission = gate_.look();
  GovernorThread* const thread = governor_.load();
  if (thread == nullptr) return now;
  now.tick = thread->last_tick();
  now.is_governed = thread->is_enabled() && !(now.tick && now.tick->dry_run);
  now.totals = thread->totals();
  return now;
}

bool ServeHttp::give_back() {
  Governor* const governor = acting();
  if (governor != nullptr) governor->ask_give_back();
  return governor != nullptr;
}

bool ServeHttp::set_paused(bool paused) {
  Governor* const governor = acting();
  if (governor != nullptr && governor->paused() != paused) governor->toggle_pause();
  return governor != nullptr;
}

}  // namespace kvpsi
