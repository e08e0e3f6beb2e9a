// SPDX-License-Identifier: MIT
// See cmd_run_signals.h.
#include "cli/cmd_run_signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "cli/exit_code.h"
#include "govern/governor.h"

namespace kvpsi {

Result<std::unique_ptr<RunSignals>> RunSignals::start() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC);
  if (signals < 0) return fail(ErrorCode::io, "cannot open a signalfd", {}, errno);
  const int end = ::eventfd(0, EFD_CLOEXEC);
  if (end < 0) {
    const int error = errno;
    ::close(signals);
    return fail(ErrorCode::io, "cannot open an eventfd", {}, error);
  }
  return std::unique_ptr<RunSignals>(new RunSignals(signals, end));
}

RunSignals::RunSignals(int signals, int end) : signals_(signals), end_(end) {
  thread_ = std::thread([this] { watch(); });
  ::pthread_setname_np(thread_.native_handle(), "kvpsi-signals");
}

RunSignals::~RunSignals() {
  ::eventfd_write(end_, 1);
  thread_.join();
  ::close(signals_);
  ::close(end_);
}

void RunSignals::set_governor(Governor* governor) {
  const std::lock_guard lock(mutex_);
  governor_ = governor;
}

void RunSignals::watch() {
  std::array<pollfd, 2> watched{pollfd{signals_, POLLIN, 0}, pollfd{end_, POLLIN, 0}};
  while (true) {
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    if (watched[1].revents != 0) return;
    signalfd_siginfo info{};
    if (watched[0].revents != 0 && ::read(signals_, &info, sizeof info) == sizeof info) {
      take(info.ssi_signo);
    }
  }
}

void RunSignals::take(unsigned number) {
  if (number == SIGINT || number == SIGTERM) {
    if (stop_asked_.exchange(true)) ::_exit(kExitInterrupted);
    return;
  }
  const std::lock_guard lock(mutex_);
  if (governor_ == nullptr) return;
  if (number == SIGUSR1) governor_->ask_give_back();
  if (number == SIGUSR2) governor_->toggle_pause();
}

}  // namespace kvpsi
