// SPDX-License-Identifier: MIT
// Control groups in memory, with the kernel's rules of pure v2 that decide where a group can be
// made: controllers are passed down by subtree_control, a group that passes them down holds no
// process (but the root), a group with children or processes cannot be removed.
#pragma once

#include <cerrno>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "bench/cgroup_ops.h"

namespace kvpsi::testing_support {

class FakeCgroups : public CgroupOps {
 public:
  struct Node {
    bool writable = true;
    bool passes_memory = false;
    bool has_memory = false;
    std::set<pid_t> pids;
    std::map<std::string, std::string> files;
  };

  explicit FakeCgroups(std::string root) : root_(std::move(root)) {
    nodes_[root_].has_memory = true;
  }

  /// A group that is there already; parents first.
  Node& add(const std::string& path) {
    Node& node = nodes_[path];
    node.has_memory = nodes_.at(parent_of(path)).passes_memory;
    return node;
  }
  Node& node(const std::string& path) { return nodes_.at(path); }
  bool has(const std::string& path) const { return nodes_.contains(path); }
  std::size_t size() const { return nodes_.size(); }
  std::vector<pid_t> killed;
  bool immortal = false;  ///< killed processes stay, as one stuck in the kernel does

  Result<void> make_dir(const std::string& path) override {
    const auto parent = nodes_.find(parent_of(path));
    if (parent == nodes_.end()) return fail(ErrorCode::not_found, "no parent", path, ENOENT);
    if (!parent->second.writable) return fail(ErrorCode::permission, "refused", path, EACCES);
    if (has(path)) return fail(ErrorCode::io, "exists", path, EEXIST);
    add(path);
    return {};
  }

  Result<void> remove_dir(const std::string& path) override {
    if (!has(path)) return fail(ErrorCode::not_found, "gone", path, ENOENT);
    if (!node(path).pids.empty() || !list_dirs(path).empty()) {
      return fail(ErrorCode::busy, "busy", path, EBUSY);
    }
    nodes_.erase(path);
    return {};
  }

  Result<void> write(const std::string& path, std::string_view text) override {
    const auto [dir, file] = split(path);
    if (!has(dir)) return fail(ErrorCode::not_found, "no group", path, ENOENT);
    Node& target = node(dir);
    if (!target.writable) return fail(ErrorCode::permission, "refused", path, EACCES);
    if (file == "cgroup.subtree_control") return pass_down(dir, text);
    if (file == "cgroup.procs") return move(dir, static_cast<pid_t>(std::stol(std::string(text))));
    if (file.starts_with("memory.") && !target.has_memory && file != "memory.pressure") {
      return fail(ErrorCode::not_found, "no such file", path, ENOENT);
    }
    target.files[file] = text;
    return {};
  }

  Result<std::string> read(const std::string& path) override {
    const auto [dir, file] = split(path);
    if (!has(dir)) return fail(ErrorCode::not_found, "no group", path, ENOENT);
    const Node& target = node(dir);
    if (file == "cgroup.procs") {
      std::ostringstream text;
      for (const pid_t pid : target.pids) text << pid << '\n';
      return text.str();
    }
    if (file == "cgroup.controllers")
      return std::string(target.has_memory ? "cpu memory\n" : "cpu\n");
    if (file == "cgroup.subtree_control")
      return std::string(target.passes_memory ? "memory\n" : "\n");
    const auto found = target.files.find(file);
    if (found == target.files.end()) return fail(ErrorCode::not_found, "no file", path, ENOENT);
    return found->second;
  }

  bool exists(const std::string& path) override {
    if (has(path)) return true;
    const auto [dir, file] = split(path);
    return has(dir) && (file == "cgroup.procs" || (file == "cgroup.type" && dir != root_));
  }
  bool is_writable(const std::string& path) override { return has(path) && node(path).writable; }
  std::vector<std::string> list_dirs(const std::string& path) override {
    std::vector<std::string> names;
    for (const auto& [name, value] : nodes_) {
      if (name != path && parent_of(name) == path) names.push_back(split(name).second);
    }
    return names;
  }
  void kill_process(pid_t pid) override {
    killed.push_back(pid);
    if (immortal) return;
    for (auto& [name, value] : nodes_) value.pids.erase(pid);
  }
  void pause_ms(unsigned) override {}

 private:
  static std::pair<std::string, std::string> split(const std::string& path) {
    const auto slash = path.find_last_of('/');
    return {path.substr(0, slash), path.substr(slash + 1)};
  }
  static std::string parent_of(const std::string& path) { return split(path).first; }

  Result<void> pass_down(const std::string& dir, std::string_view text) {
    Node& target = node(dir);
    if (text == "-memory") {
      target.passes_memory = false;
      return {};
    }
    if (!target.has_memory) return fail(ErrorCode::not_found, "no controller", dir, ENOENT);
    if (dir != root_ && !target.pids.empty()) return fail(ErrorCode::busy, "procs", dir, EBUSY);
    target.passes_memory = true;
    for (auto& [name, value] : nodes_) {
      if (name != dir && parent_of(name) == dir) value.has_memory = true;
    }
    return {};
  }

  Result<void> move(const std::string& dir, pid_t pid) {
    if (dir != root_ && node(dir).passes_memory) {
      return fail(ErrorCode::busy, "internal process", dir, EBUSY);
    }
    for (auto& [name, value] : nodes_) value.pids.erase(pid);
    node(dir).pids.insert(pid);
    return {};
  }

  std::string root_;
  std::map<std::string, Node> nodes_;
};

}  // namespace kvpsi::testing_support
