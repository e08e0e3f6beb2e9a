// SPDX-License-Identifier: MIT
// The waiting, sampling and recovering of KernelSource; see kernel_source.h. Opening is in
// kernel_source_open.cpp.
#include "linux/kernel_source.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/clock.h"
#include "base/hash.h"

namespace kvpsi {
namespace {

/// How often a lost input is looked for, and the own group's path compared.
constexpr std::uint64_t kCheckEveryUs = 1'000'000;

timespec to_timespec(std::uint64_t us) {
  us = std::min<std::uint64_t>(us, 3'600'000'000ULL);
  return {.tv_sec = static_cast<time_t>(us / 1'000'000),
          .tv_nsec = static_cast<long>(us % 1'000'000) * 1'000};
}

}  // namespace

void KernelSource::wake() {
  const std::uint64_t one = 1;
  const int saved_errno = errno;  // signal handlers call this
  [[maybe_unused]] const auto written = ::write(wake_fd_.get(), &one, sizeof one);
  errno = saved_errno;
}

Wake KernelSource::wait(std::uint64_t timeout_us) {
  const std::uint64_t start_us = monotonic_us();
  for (;;) {
    const std::uint64_t passed_us = monotonic_us() - start_us;
    const timespec left = to_timespec(timeout_us > passed_us ? timeout_us - passed_us : 0);
    const int ready = ::ppoll(polls_.begin(), polls_.size(), &left, nullptr);
    if (ready < 0 && errno != EINTR) return Wake::timeout;
    if (ready == 0 && monotonic_us() - start_us >= timeout_us) return Wake::timeout;
    if (ready <= 0) continue;
    std::uint64_t asked = 0;
    const bool is_asked = ::read(wake_fd_.get(), &asked, sizeof asked) == sizeof asked;
    bool is_triggered = false;
    const PollSet reported = polls_;
    for (const pollfd& polled : reported) is_triggered |= handle_polled(polled);
    if (is_any_lost()) {
      rebuild_polls();  // before the next poll, which would report a dead descriptor again
      recover(monotonic_us());
    }
    if (is_asked) return Wake::asked;
    if (is_triggered) return Wake::trigger;
  }
}

bool KernelSource::handle_polled(const pollfd& polled) {
  if (polled.revents == 0) return false;
  if (watch_ && polled.fd == watch_->fd()) {
    const DrainResult drained = watch_->handle(polled.revents);
    if (drained.is_lost) {
      watch_.reset();
      watch_words_ += " (lost)";
      rebuild_polls();
      publish_facts();
    }
    if (drained.got_data) ++*hints_total_;
    return drained.got_data;
  }
  return own_.handle(polled) || parent_.handle(polled) || system_.handle(polled);
}

Sample KernelSource::sample() {
  Sample sample;
  sample.t_us = monotonic_us();
  if (is_any_lost() || sample.t_us - checked_us_ >= kCheckEveryUs) recover(sample.t_us);
  sample.psi_own = own_.sample(buffer_);
  sample.psi_parent = parent_.sample(buffer_);
  sample.psi_system = system_.sample(buffer_);
  machine_.read(buffer_, sample);
  const GroupReading group = group_.read(buffer_);
  sample.group_limit_bytes = group.limit_bytes;
  sample.group_usage_bytes = group.usage_bytes;
  sample.group_file_bytes = group.file_bytes;
  sample.group_limit_hits_total = group.limit_hits_total;
  sample.group_oom_kills_total = group.oom_kills_total;
  sample.group_refault_pages_total = group.refault_pages_total;
  sample.group_swap_free_bytes = group.swap_free_bytes;
  is_group_lost_ |= group.is_lost;
  const PeerReading& peers = peers_.read(sample.t_us, find_peer_group(), buffer_);
  sample.peers_anon_bytes = peers.anon_bytes;
  sample.group_peers_anon_bytes = peers.group_anon_bytes;
  // A lost input has closed its descriptors, whose numbers may soon mean something else.
  if (is_any_lost()) rebuild_polls();
  sample.pressure_hints_total = hints_total_;
  sample.own_file_wanted_bytes = file_wanted_bytes_.load();
  return sample;
}

std::optional<PeerGroup> KernelSource::find_peer_group() const {
  const bool is_v1 = !location_.v1_memory_dir.empty();
  const std::string& own = is_v1 ? location_.v1_memory_dir : location_.v2_dir;
  const std::string& tightest = group_.tightest_dir();
  if (tightest.empty() || !own.starts_with(tightest)) return std::nullopt;
  const auto levels = std::count(own.begin() + static_cast<long>(tightest.size()), own.end(), '/');
  return PeerGroup{.is_v1 = is_v1, .levels_up = static_cast<std::size_t>(levels)};
}

bool KernelSource::has_moved() {
  const ReadText got = cgroup_file_.read(buffer_);
  if (!got.ok()) return false;
  Hash64 hash;
  hash.add(got.text);
  const bool has_changed = hash.value() != cgroup_hash_;
  cgroup_hash_ = hash.value();
  return has_changed;
}

void KernelSource::recover(std::uint64_t now_us) {
  bool is_moved = false;
  if (now_us - checked_us_ >= kCheckEveryUs) {
    checked_us_ = now_us;
    is_moved = has_moved();
  }
  const bool may_try = now_us - recovered_us_ >= kCheckEveryUs;
  if (!is_moved && !(is_any_lost() && may_try)) return;
  recovered_us_ = now_us;
  // A failure leaves the input lost or absent, which the facts tell; time alone wakes us then.
  if (is_moved || own_.is_lost() || parent_.is_lost() || is_group_lost_) {
    if (!is_moved) has_moved();  // remember the path that is now opened
    [[maybe_unused]] const auto group = open_group_inputs();
  }
  if (system_.is_lost()) {
    [[maybe_unused]] const auto system = open_system_input();
  }
  rebuild_polls();
  publish_facts();
}

void KernelSource::rebuild_polls() {
  polls_.clear();
  KVPSI_ASSERT(polls_.push_back({.fd = wake_fd_.get(), .events = POLLIN, .revents = 0}));
  if (watch_) {
    KVPSI_ASSERT(
        polls_.push_back({.fd = watch_->fd(), .events = watch_->poll_events(), .revents = 0}));
  }
  for (const PsiInput* input : {&own_, &parent_, &system_}) input->add_polls(polls_);
}

}  // namespace kvpsi
