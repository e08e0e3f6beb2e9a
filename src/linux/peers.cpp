// SPDX-License-Identifier: MIT
// See peers.h. A machine with a thousand unix sockets has a table of 80 KiB, which is read piece by
// piece through the caller's buffer.
#include "linux/peers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "linux/status_name.h"
#include "linux/text_scan.h"

namespace kvpsi {
namespace {

/// About 12,000 sockets; what lies behind is not looked at.
constexpr std::size_t kMostTableBytes = 1024 * 1024;
constexpr std::size_t kMostPathBytes = 4096;

template <class List>
bool contains(const List& list, int pid) {
  return std::find(list.begin(), list.end(), pid) != list.end();
}

/// The effective user, the second number of "Uid: real effective saved file system".
std::optional<std::uint64_t> find_user(std::string_view status_text) {
  while (!status_text.empty()) {
    std::string_view line = take_line(status_text);
    if (take_word(line) != "Uid:") continue;
    take_word(line);
    return parse_u64(take_word(line));
  }
  return std::nullopt;
}

std::string_view find_name(std::string_view status_text) {
  std::string_view line = take_line(status_text);
  if (!line.starts_with("Name:")) return {};
  line.remove_prefix(5);
  while (line.starts_with('\t') || line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

/// Calls `take(line)` for each whole line of the file. False if it cannot be read at all.
template <class Take>
bool for_each_line(int fd, std::span<char> buffer, Take&& take) {
  std::size_t held = 0;
  for (std::size_t offset = 0; offset < kMostTableBytes;) {
    if (held == buffer.size()) held = 0;  // no line is that long; look on behind it
    const ssize_t got =
        ::pread(fd, buffer.data() + held, buffer.size() - held, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return offset != 0;
    if (got == 0) return true;
    offset += static_cast<std::size_t>(got);
    std::string_view text(buffer.data(), held + static_cast<std::size_t>(got));
    const std::size_t whole = text.rfind('\n') + 1;  // npos + 1 = 0: no whole line yet
    std::string_view lines = text.substr(0, whole);
    while (!lines.empty()) take(take_line(lines));
    held = text.size() - whole;
    std::memmove(buffer.data(), buffer.data() + whole, held);
  }
  return true;
}

/// Removes the last `levels` names of an absolute path; false if it has fewer.
bool cut_levels(std::string_view& path, std::size_t levels) {
  for (; levels > 0; --levels) {
    if (path.size() < 2) return false;
    path = path.substr(0, path.rfind('/'));
  }
  if (path.empty()) path = "/";
  return true;
}

}  // namespace

std::string_view find_group_path(std::string_view text, bool is_v1) {
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (!is_v1) {
      if (line.starts_with("0:") && controllers.empty()) return path;
      continue;
    }
    while (!controllers.empty()) {
      const std::string_view one = controllers.substr(0, controllers.find(','));
      if (one == "memory") return path;
      controllers.remove_prefix(std::min(one.size() + 1, controllers.size()));
    }
  }
  return {};
}

bool is_in_group(std::string_view path, std::string_view scope) {
  if (path.empty() || scope.empty()) return false;
  if (scope == "/") return path.starts_with('/') && !path.starts_with("/..");
  return path.starts_with(scope) && (path.size() == scope.size() || path[scope.size()] == '/');
}

PeerFinder::PeerFinder(const PeerPaths& paths)
    : paths_(paths), table_(paths.unix_table), own_cgroup_(paths.proc + "/self/cgroup") {
  path_.reserve(paths_.proc.size() + 32);
  scope_.reserve(kMostPathBytes);
  const auto status = read_small_file(paths_.proc + "/self/status");
  if (!status) return;
  own_name_ = find_name(*status);
  own_user_ = find_user(*status);
}

/// Marks the known peers that the table names, and collects those to verify.
bool PeerFinder::list_strangers(std::span<char> buffer, Pids& strangers) {
  for (Peer& peer : peers_) peer.is_listed = false;
  std::size_t seen = 0;
  const auto take = [&](std::string_view line) {
    const auto process = parse_status_name(line);
    if (!process || !process->shares_need || process->pid == paths_.own_pid) return;
    if (!process->is_of_namespace(paths_.pid_namespace)) return;
    const auto known = std::find_if(peers_.begin(), peers_.end(),
                                    [&](const Peer& peer) { return peer.pid == process->pid; });
    if (known != peers_.end()) {
      known->is_listed = true;
      return;
    }
    const bool is_due = seen >= first_try_ && seen < first_try_ + kMostTries;
    ++seen;
    // A socket is listed once more for each of its clients.
    if (is_due && !contains(strangers, process->pid)) strangers.push_back(process->pid);
  };
  if (!table_.is_open() || !for_each_line(table_.fd(), buffer, take)) return false;
  first_try_ += kMostTries;
  if (first_try_ >= seen) first_try_ = 0;
  return true;
}

bool PeerFinder::is_peer(std::string_view status_text) const {
  if (!own_name_.empty() && find_name(status_text) != own_name_) return false;
  if (!own_user_) return true;
  const auto user = find_user(status_text);
  return user && (*user == *own_user_ || *user == 0);
}

void PeerFinder::open_peer(Peer& place, int pid, std::span<char> buffer) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), pid).ptr;
  path_.assign(paths_.proc).append("/").append(digits.data(), end);
  const std::size_t folder = path_.size();
  KernelFile status(path_.append("/status"));
  const ReadText got = status.read(buffer);
  if (!got.ok() || !is_peer(got.text)) return;
  path_.resize(folder);
  place.cgroup = KernelFile(path_.append("/cgroup"));
  place.status = std::move(status);
  place.pid = pid;
}

void PeerFinder::match_peers(const Pids& strangers, std::span<char> buffer) {
  for (Peer& peer : peers_) {
    if (peer.pid != 0 && !peer.is_listed) peer = Peer();
  }
  auto place = peers_.begin();
  for (const int pid : strangers) {
    place = std::find_if(place, peers_.end(), [](const Peer& peer) { return peer.pid == 0; });
    if (place == peers_.end()) return;
    open_peer(*place, pid, buffer);
  }
}

std::optional<std::uint64_t> PeerFinder::read_anon(Peer& peer, std::span<char> buffer) const {
  const ReadText got = peer.status.read(buffer);
  if (!got.ok()) {
    peer = Peer();  // gone; if its id is listed again, that is another process
    return std::nullopt;
  }
  if (!is_peer(got.text)) return std::nullopt;
  return find_kib(got.text, "RssAnon").value;
}

void PeerFinder::refresh(const std::optional<PeerGroup>& group, std::span<char> buffer) {
  reading_ = {};
  Pids strangers;
  if (!list_strangers(buffer, strangers)) return;
  match_peers(strangers, buffer);
  scope_.clear();
  if (const ReadText own = own_cgroup_.read(buffer); group && own.ok()) {
    std::string_view path = find_group_path(own.text, group->is_v1);
    if (cut_levels(path, group->levels_up) && path.size() <= kMostPathBytes) scope_.assign(path);
  }
  reading_.anon_bytes = 0;
  if (!scope_.empty()) reading_.group_anon_bytes = 0;
  for (Peer& peer : peers_) {
    if (peer.pid == 0) continue;
    const auto anon_bytes = read_anon(peer, buffer);
    if (!anon_bytes) continue;
    *reading_.anon_bytes += *anon_bytes;
    if (scope_.empty()) continue;
    const ReadText groups = peer.cgroup.read(buffer);
    const bool is_ours =
        groups.ok() && is_in_group(find_group_path(groups.text, group->is_v1), scope_);
    if (is_ours) *reading_.group_anon_bytes += *anon_bytes;
  }
}

const PeerReading& PeerFinder::read(std::uint64_t now_us, const std::optional<PeerGroup>& group,
                                    std::span<char> buffer) {
  if (read_us_ == 0 || now_us - read_us_ >= kEveryUs) {
    read_us_ = std::max<std::uint64_t>(now_us, 1);
    refresh(group, buffer);
  }
  return reading_;
}

}  // namespace kvpsi
