// SPDX-License-Identifier: MIT
// Queue and writing thread; see writer.h.
#include "journal/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "journal/config_json.h"
#include "journal/tick_json.h"

namespace kvpsi {
namespace {

ErrorCode code_of(int errno_value) {
  if (errno_value == ENOENT || errno_value == ENOTDIR) return ErrorCode::not_found;
  if (errno_value == EACCES || errno_value == EPERM || errno_value == EROFS) {
    return ErrorCode::permission;
  }
  if (errno_value == ENOSPC || errno_value == EDQUOT) return ErrorCode::exhausted;
  return ErrorCode::io;
}

/// Writes all of it; returns 0 or the errno that ended it.
int write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(fd, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno;
    done += static_cast<std::size_t>(wrote);
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<JournalWriter>> JournalWriter::open(
    const std::string& path, const std::optional<PolicyConfig>& config) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    const int reason = errno;
    return fail(code_of(reason), "cannot create the journal", path, reason);
  }
  std::unique_ptr<JournalWriter> writer(new JournalWriter(fd, path));
  if (config) writer->write_config(*config);
  return writer;
}

void JournalWriter::write_config(const PolicyConfig& config) {
  const int reason = write_all(fd_, config_to_json(config) + '\n');
  if (reason == 0) return;
  const std::lock_guard lock(mutex_);
  status_.error = Error{code_of(reason), "cannot begin the journal", path_, reason};
}

JournalWriter::JournalWriter(int fd, std::string path)
    : fd_(fd), path_(std::move(path)), queue_(kQueueTicks), thread_([this] { write_loop(); }) {}

JournalWriter::~JournalWriter() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  queued_.notify_one();
  thread_.join();
  ::close(fd_);
}

void JournalWriter::on_tick(const Tick& tick) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_ == queue_.size()) {
      first_ = (first_ + 1) % queue_.size();
      --waiting_;
      ++status_.ticks_dropped;
    }
    queue_[(first_ + waiting_) % queue_.size()] = tick;
    ++waiting_;
  }
  queued_.notify_one();
}

JournalStatus JournalWriter::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

JournalStatus JournalWriter::flush() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] { return waiting_ == 0 && !writing_; });
  return status_;
}

void JournalWriter::write_loop() {
  std::string line;
  std::unique_lock lock(mutex_);
  while (true) {
    queued_.wait(lock, [this] { return waiting_ > 0 || closing_; });
    if (waiting_ == 0) return;
    const Tick tick = queue_[first_];
    first_ = (first_ + 1) % queue_.size();
    --waiting_;
    writing_ = true;
    const bool healthy = !status_.error;
    lock.unlock();

    int reason = 0;
    if (healthy) {
      line.clear();
      append_tick_json(line, tick);
      line += '\n';
      reason = write_all(fd_, line);
    }

    lock.lock();
    writing_ = false;
    if (reason != 0) {
      status_.error =
          Error{code_of(reason), "the journal ends here, writing failed", path_, reason};
    } else if (healthy) {
      ++status_.lines_written;
    }
    if (waiting_ == 0) written_.notify_all();
  }
}

}  // namespace kvpsi
