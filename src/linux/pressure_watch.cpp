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

/// No more than PIPE_BUF, so that a FIFO takes all of it at once.
constexpr std::size_t kMostData = 4096;
/// 200 ms in 2 s, with the NUL that the kernel wants: what sd-event writes where it is told
/// nothing.
constexpr std::string_view kUsualTrigger("some 200000 2000000\0", 20);

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

Result<UniqueFd> open_watched(const std::string& path, mode_t mode) {
  if (S_ISFIFO(mode)) return open_fifo(path);
  if (S_ISSOCK(mode)) return connect_unix(path);
  if (!S_ISREG(mode)) {
    return fail(ErrorCode::unsupported, "only a pressure file, FIFO or socket can be watched",
                path);
  }
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd.is_open()) return fail(error_code_of(errno), "cannot be opened", path, errno);
  if (!is_kernel_pressure_fd(fd.get())) {
    return fail(ErrorCode::unsupported, "a watched file must lie on procfs or cgroup2", path);
  }
  return fd;
}

/// send and not write on a socket: a peer that is gone must not raise SIGPIPE.
Result<void> write_data(int fd, mode_t mode, std::string_view data, const std::string& path) {
  if (data.empty()) return {};
  const ssize_t written = S_ISSOCK(mode) ? ::send(fd, data.data(), data.size(), MSG_NOSIGNAL)
                                         : ::write(fd, data.data(), data.size());
  if (written == static_cast<ssize_t>(data.size())) return {};
  const int error = written < 0 ? errno : EIO;
  return fail(error == EINVAL ? ErrorCode::invalid_argument : error_code_of(error),
              "refused the data of MEMORY_PRESSURE_WRITE", path, error);
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
  auto fd = open_watched(spec.path, info.st_mode);
  if (!fd) return std::unexpected(fd.error());
  const bool needs_trigger = S_ISREG(info.st_mode) && spec.write_data.empty();
  const std::string_view data = needs_trigger ? kUsualTrigger : std::string_view(spec.write_data);
  if (auto written = write_data(fd->get(), info.st_mode, data, spec.path); !written) {
    return std::unexpected(written.error());
  }
  PressureWatch watch;
  watch.fd_ = std::move(*fd);
  watch.is_stream_ = !S_ISREG(info.st_mode);
  if (S_ISFIFO(info.st_mode)) watch.echo_ = spec.write_data;
  return watch;
}

short PressureWatch::poll_events() const { return is_stream_ ? POLLIN : POLLPRI; }

DrainResult PressureWatch::handle(short revents) {
  if (!is_stream_) {
    // Without its group the kernel reports both at once: that is an end and no pressure.
    const bool is_lost = (revents & (POLLERR | POLLNVAL)) != 0;
    return {.got_data = !is_lost && (revents & POLLPRI) != 0, .is_lost = is_lost};
  }
  std::size_t at = 0;
  bool is_echo = true;
  DrainResult result = drain_stream(fd_.get(), [&](std::string_view bytes) {
    is_echo = is_echo && at <= echo_.size() && echo_.compare(at, bytes.size(), bytes) == 0;
    at += bytes.size();
  });
  if (result.got_data && is_echo && at == echo_.size()) result.got_data = false;
  if (at > 0) echo_.clear();
  return result;
}

}  // namespace kvpsi
