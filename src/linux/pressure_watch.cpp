// SPDX-License-Identifier: MIT
// See pressure_watch.h.
#include "linux/pressure_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "linux/kernel_file.h"
#include "linux/psi_file.h"

namespace kvpsi {
namespace {

constexpr std::size_t kMostData = 4096;

int value_of_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

bool is_normal_path(std::string_view path) {
  if (path.size() < 2 || path.front() != '/' || path.find('\0') != path.npos) return false;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    path.remove_prefix(part.size());
  }
  return true;
}

Result<UniqueFd> open_watched(const std::string& path, mode_t mode, bool is_written) {
  if (S_ISFIFO(mode)) return open_fifo(path);
  if (S_ISSOCK(mode)) return connect_unix(path);
  if (!S_ISREG(mode)) {
    return fail(ErrorCode::unsupported, "only a pressure file, FIFO or socket can be watched",
                path);
  }
  const int access = is_written ? O_RDWR : O_RDONLY;
  UniqueFd fd(::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd.is_open()) return fail(error_code_of(errno), "cannot be opened", path, errno);
  if (!is_kernel_pressure_fd(fd.get())) {
    return fail(ErrorCode::unsupported, "a watched file must lie on procfs or cgroup2", path);
  }
  return fd;
}

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  const auto bad = [] { return fail(ErrorCode::malformed, "this is not base64 with padding"); };
  if (text.size() % 4 != 0) return bad();
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  text.remove_suffix(padding);
  std::string decoded;
  decoded.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : text) {
    const int digit = value_of_digit(c);
    if (digit < 0) return bad();
    bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xfff;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    decoded += static_cast<char>(bits >> bit_count & 0xff);
  }
  const bool has_stray_bits = (bits & ((1U << bit_count) - 1)) != 0;
  if (has_stray_bits) return bad();
  return decoded;
}

Result<std::optional<PressureWatchSpec>> parse_pressure_watch(std::string_view path,
                                                              std::string_view write_base64) {
  if (path.empty() || path == "/dev/null") return std::nullopt;
  if (!is_normal_path(path)) {
    return fail(ErrorCode::invalid_argument,
                "MEMORY_PRESSURE_WATCH must be an absolute path without '//', '.' or '..'",
                std::string(path));
  }
  auto data = decode_base64(write_base64);
  if (!data || data->size() > kMostData) {
    return fail(ErrorCode::malformed,
                "MEMORY_PRESSURE_WRITE must be base64 with padding, of at most 4096 bytes");
  }
  return PressureWatchSpec{.path = std::string(path), .write_data = std::move(*data)};
}

PressureWatchEnvironment read_pressure_watch_environment() {
  const char* watch = std::getenv("MEMORY_PRESSURE_WATCH");
  const char* write = std::getenv("MEMORY_PRESSURE_WRITE");
  return {.watch = watch != nullptr ? watch : "", .write = write != nullptr ? write : ""};
}

Result<PressureWatch> PressureWatch::open(const PressureWatchSpec& spec) {
  struct stat info{};
  if (::stat(spec.path.c_str(), &info) != 0) {
    return fail(error_code_of(errno), "MEMORY_PRESSURE_WATCH names nothing that is here", spec.path,
                errno);
  }
  auto fd = open_watched(spec.path, info.st_mode, !spec.write_data.empty());
  if (!fd) return std::unexpected(fd.error());
  if (!spec.write_data.empty() && !S_ISFIFO(info.st_mode)) {
    const char* data = spec.write_data.data();
    // send and not write on a socket: a peer that is gone must not raise SIGPIPE.
    const ssize_t written = S_ISSOCK(info.st_mode)
                                ? ::send(fd->get(), data, spec.write_data.size(), MSG_NOSIGNAL)
                                : ::write(fd->get(), data, spec.write_data.size());
    if (written != static_cast<ssize_t>(spec.write_data.size())) {
      const int error = written < 0 ? errno : EIO;
      return fail(error == EINVAL ? ErrorCode::invalid_argument : error_code_of(error),
                  "refused the data of MEMORY_PRESSURE_WRITE", spec.path, error);
    }
  }
  PressureWatch watch;
  watch.fd_ = std::move(*fd);
  watch.is_stream_ = !S_ISREG(info.st_mode);
  return watch;
}

short PressureWatch::poll_events() const { return is_stream_ ? POLLIN : POLLPRI; }

DrainResult PressureWatch::handle(short revents) {
  if (!is_stream_) {
    return {.got_data = (revents & POLLPRI) != 0, .is_lost = (revents & (POLLERR | POLLNVAL)) != 0};
  }
  return drain_stream(fd_.get(), [](std::string_view) {});
}

}  // namespace kvpsi
