// SPDX-License-Identifier: MIT
// Opening and describing of KernelSource; see kernel_source.h.
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/bytes.h"
#include "base/clock.h"
#include "linux/kernel_source.h"
#include "linux/process.h"

namespace kvpsi {
namespace {

/// vmstat (4 to 8 KiB) is the largest file of a sample.
constexpr std::size_t kBufferBytes = 32 * 1024;

std::string path_or(const std::string& path, const std::string& usual) {
  return path.empty() ? usual : path;
}

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat info_a{};
  struct stat info_b{};
  return ::stat(a.c_str(), &info_a) == 0 && ::stat(b.c_str(), &info_b) == 0 &&
         info_a.st_dev == info_b.st_dev && info_a.st_ino == info_b.st_ino;
}

std::optional<PsiTotals> read_totals(const std::string& path) {
  auto file = PsiFile::open(path);
  if (!file) return std::nullopt;
  std::array<char, 4096> buffer;
  int error = 0;
  return file->read(buffer, error);
}

/// Opens a given path or fails, but leaves one alone that works (a stream would lose its lines).
/// A path that was found by itself may be unusable, which is a fact and no error.
Result<void> open_input(PsiInput& input, const std::string& given, const std::string& found,
                        const char* absent_reason, bool use_triggers) {
  if (!given.empty()) {
    if (input.is_present()) return {};
    return input.open(given, use_triggers);
  }
  if (found.empty()) {
    input.set_absent(absent_reason);
  } else if (auto opened = input.open(found, use_triggers); !opened) {
    input.set_absent(describe(opened.error()));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<KernelSource>> KernelSource::open(const KernelSourceOptions& options) {
  std::unique_ptr<KernelSource> source(new KernelSource(options));
  if (auto opened = source->open_all(); !opened) return std::unexpected(opened.error());
  return source;
}

Result<void> KernelSource::open_all() {
  buffer_.resize(kBufferBytes);
  wake_fd_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_fd_.is_open()) return fail(ErrorCode::exhausted, "no eventfd is to be had", {}, errno);
  const KernelPaths& paths = options_.paths;
  const std::string& proc = paths.roots.proc;
  machine_ = MachineFiles({.meminfo = path_or(paths.meminfo, proc + "/meminfo"),
                           .vmstat = path_or(paths.vmstat, proc + "/vmstat"),
                           .self_status = path_or(paths.self_status, proc + "/self/status"),
                           .self_stat = path_or(paths.self_stat, proc + "/self/stat")});
  peers_ = PeerFinder({.proc = proc,
                       .unix_table = path_or(paths.unix_table, proc + "/net/unix"),
                       .own_pid = ::getpid(),
                       .pid_namespace = read_pid_namespace(proc).value_or(0)});
  cgroup_file_ = KernelFile(proc + "/self/cgroup");
  has_moved();
  if (auto opened = open_group_inputs(); !opened) return opened;
  if (auto opened = open_system_input(); !opened) return opened;
  if (auto opened = open_watch(); !opened) return opened;
  checked_us_ = monotonic_us();
  rebuild_polls();
  group_.read(buffer_);  // finds the tightest limit for the facts
  publish_facts();
  return {};
}

Result<void> KernelSource::open_watch() {
  const auto spec = parse_pressure_watch(options_.watch_path, options_.watch_write_base64);
  if (!spec) return std::unexpected(spec.error());
  if (!*spec) {
    if (!options_.watch_path.empty()) watch_words_ = "switched off";
    return {};
  }
  auto watch = PressureWatch::open(**spec);
  watch_words_ = watch ? (*spec)->path : kvpsi::describe(watch.error());
  if (watch) {
    watch_ = std::move(*watch);
    hints_total_ = 0;
  }
  return {};
}

Result<void> KernelSource::open_group_inputs() {
  const auto found = find_cgroup(options_.paths.roots);
  location_ = found ? *found : CgroupLocation{};
  is_group_lost_ = false;
  group_ = GroupMemory(location_);
  const bool has_own_group = !location_.v2_dir.empty() && !location_.v2_is_root;
  const std::string own_found = has_own_group ? location_.v2_dir + "/memory.pressure" : "";
  const char* why_no_own = location_.v2_is_root ? "the own group is the v2 root" : "no v2 group";
  const KernelPaths& paths = options_.paths;
  auto own_opened = open_input(own_, paths.psi_own, own_found, why_no_own, options_.use_triggers);
  const std::string parent_found =
      paths.psi_parent.empty() ? find_parent_pressure(location_, own_.facts().path) : "";
  auto parent_opened = open_input(parent_, paths.psi_parent, parent_found,
                                  "no group between ours and the root", options_.use_triggers);
  return own_opened ? parent_opened : own_opened;
}

Result<void> KernelSource::open_system_input() {
  return open_input(system_, options_.paths.psi_system,
                    options_.paths.roots.proc + "/pressure/memory", "", options_.use_triggers);
}

std::string find_parent_pressure(const CgroupLocation& location, const std::string& own_path) {
  const auto dirs = list_ancestors(location.v2_dir, location.v2_mount);
  const PsiTotals none;
  const PsiTotals own = own_path.empty() ? none : read_totals(own_path).value_or(none);
  std::string repeats_own;
  for (std::size_t i = 1; i < dirs.size() && is_non_root_group(dirs[i]); ++i) {
    const std::string path = dirs[i] + "/memory.pressure";
    if (is_same_file(path, own_path)) continue;
    const auto totals = read_totals(path);
    if (!totals) continue;
    if (own == none || *totals != own) return path;
    if (repeats_own.empty()) repeats_own = path;
  }
  return repeats_own;
}

void KernelSource::publish_facts() {
  KernelSourceFacts facts{.own = own_.facts(),
                          .parent = parent_.facts(),
                          .system = system_.facts(),
                          .location = location_,
                          .limit_dir = group_.tightest_dir(),
                          .watch = watch_words_};
  const std::lock_guard lock(facts_mutex_);
  facts_ = std::move(facts);
}

KernelSourceFacts KernelSource::facts() const {
  const std::lock_guard lock(facts_mutex_);
  return facts_;
}

std::string KernelSource::describe() const { return kvpsi::describe(facts()); }

std::string describe(const KernelSourceFacts& facts) {
  std::string line = "own PSI: " + describe(facts.own);
  line += "; parent PSI: " + describe(facts.parent);
  line += "; system PSI: " + describe(facts.system);
  line += "; limits: cgroup " + std::string(name(facts.location.kind));
  line += facts.limit_dir.empty() ? ", none" : ", tightest " + facts.limit_dir;
  if (!facts.watch.empty()) line += "; watch: " + facts.watch;
  return line;
}

}  // namespace kvpsi
