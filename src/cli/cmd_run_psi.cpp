// SPDX-License-Identifier: MIT
// See cmd_run_psi.h.
#include "cli/cmd_run_psi.h"

#include <array>
#include <filesystem>
#include <system_error>

#include "linux/cgroup.h"
#include "linux/psi_parse.h"

namespace kvpsi {
namespace {

std::string own_pressure_path() {
  const auto location = find_cgroup(CgroupRoots{});
  if (!location || location->v2_dir.empty() || location->v2_is_root) return {};
  return location->v2_dir + "/memory.pressure";
}

}  // namespace

OwnPsiReader::OwnPsiReader(const std::string& path) {
  const std::string chosen = path.empty() ? own_pressure_path() : path;
  std::error_code ignored;  // an open of a FIFO would wait for its writer
  if (!std::filesystem::is_regular_file(chosen, ignored)) return;
  file_ = KernelFile(chosen);
}

std::optional<PsiTotals> OwnPsiReader::read() const {
  if (!file_.is_open()) return std::nullopt;
  std::array<char, 512> buffer;
  const ReadText text = file_.read(buffer);
  if (!text.ok()) return std::nullopt;
  const auto totals = parse_psi(text.text);
  return totals ? std::optional(*totals) : std::nullopt;
}

}  // namespace kvpsi
