// SPDX-License-Identifier: MIT
// See psi_input.h.
#include "linux/psi_input.h"

#include <utility>

namespace kvpsi {

Result<void> PsiInput::open(const std::string& path, bool use_triggers) {
  const bool was_lost = is_lost_;
  set_absent({});
  auto file = PsiFile::open(path);
  if (!file) {
    facts_.reason = describe(file.error());
    is_lost_ = was_lost;  // so that a lost input is tried again
    return std::unexpected(file.error());
  }
  file_ = std::move(*file);
  facts_.path = path;
  facts_.is_present = true;
  facts_.kind = file_->kind();
  if (file_->kind() == PsiFileKind::kernel && use_triggers) {
    triggers_ = arm_psi_triggers(path);
    facts_.granted = triggers_.granted;
    facts_.reason = triggers_.reason;
    facts_.is_privileged = triggers_.privileged;
  } else if (file_->stream_fd() < 0) {
    facts_.reason = use_triggers ? "a plain file has no triggers" : "triggers are switched off";
  }
  return {};
}

void PsiInput::set_absent(std::string reason) {
  file_.reset();
  triggers_ = {};
  last_.reset();
  is_lost_ = false;
  facts_ = PsiInputFacts();
  facts_.reason = std::move(reason);
}

void PsiInput::lose(const char* reason) {
  is_lost_ = true;
  triggers_ = {};
  file_.reset();
  last_.reset();
  facts_.is_present = false;
  facts_.granted.clear();
  facts_.reason = reason;
}

std::optional<PsiTotals> PsiInput::sample(std::span<char> buffer) {
  if (!file_) return std::nullopt;
  if (file_->stream_fd() >= 0 && file_->drain().is_lost) {
    lose("the other end is gone");
    return std::nullopt;
  }
  int error = 0;
  const auto totals = file_->read(buffer, error);
  if (error != 0) {
    lose("the file cannot be read any more");
    return std::nullopt;
  }
  if (totals && last_ &&
      (totals->some_us_total < last_->some_us_total ||
       totals->full_us_total < last_->full_us_total)) {
    lose("the counters ran backwards");
    return std::nullopt;
  }
  last_ = totals;
  return totals;
}

void PsiInput::add_polls(PollSet& polls) const {
  const auto add = [&polls](int fd, short events) {
    KVPSI_ASSERT(polls.push_back({.fd = fd, .events = events, .revents = 0}));
  };
  if (triggers_.some.is_open()) add(triggers_.some.get(), POLLPRI);
  if (triggers_.full.is_open()) add(triggers_.full.get(), POLLPRI);
  if (file_ && file_->stream_fd() >= 0) add(file_->stream_fd(), POLLIN);
}

bool PsiInput::handle(const pollfd& polled) {
  if (polled.revents == 0) return false;
  if (polled.fd == triggers_.some.get() || polled.fd == triggers_.full.get()) {
    // The kernel answers POLLERR for ever once the group is removed.
    if ((polled.revents & (POLLERR | POLLNVAL)) != 0) lose("the group is gone");
    return true;
  }
  if (!file_ || polled.fd != file_->stream_fd()) return false;
  const DrainResult drained = file_->drain();
  if (drained.is_lost) lose("the other end is gone");
  return drained.got_data || drained.is_lost;
}

std::string describe(const PsiInputFacts& facts) {
  if (!facts.is_present) return facts.reason.empty() ? "none" : "none (" + facts.reason + ")";
  if (facts.kind == PsiFileKind::fifo) return facts.path + " (FIFO)";
  if (facts.kind == PsiFileKind::socket) return facts.path + " (socket)";
  const std::string how = facts.granted.empty() ? "polled" : facts.granted;
  return facts.path + " (" + how + (facts.reason.empty() ? "" : ", " + facts.reason) + ")";
}

}  // namespace kvpsi
