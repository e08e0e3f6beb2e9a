// SPDX-License-Identifier: MIT
// Fields: reads the members of one JSON object by key, remembers which were asked for, and says in
// one line what is wrong and where. Only scenario_parse.cpp uses it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvpsi {

/// No size and no cache is larger: sums of a few of them cannot overflow.
inline constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 50;

/// The first thing that is wrong with a file; empty = nothing yet.
struct Complaint {
  std::string what;
  bool found() const { return !what.empty(); }
  void say(const std::string& where, const std::string& clause) {
    if (what.empty()) what = where + ": " + clause;
  }
};

/// One object at `path`. Absent keys leave their target alone; a wrong value is complained about
/// and leaves it alone too.
class Fields {
 public:
  Fields(const nlohmann::json& object, std::string path, Complaint& complaint);
  /// Complains about keys that nobody has asked for.
  ~Fields();
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  bool has(std::string_view key) const;
  const std::string& path() const { return path_; }

  void read_bytes(std::string_view key, std::uint64_t& into);  ///< "100MiB"
  void read_rate(std::string_view key, double& into);          ///< "300MiB", a second
  void read_count(std::string_view key, std::uint64_t& into);  ///< a whole number >= 0
  void read_seconds(std::string_view key, double& into);       ///< a number >= 0
  void read_positive(std::string_view key, double& into);      ///< a number > 0
  void read_share(std::string_view key, double& into);         ///< 0..1
  void read_flag(std::string_view key, bool& into);
  void read_text(std::string_view key, std::string& into);
  /// Complains that the key is missing if it is.
  void need(std::string_view key);
  void complain(std::string_view key, const std::string& clause);

  /// The array or object behind a key; nullptr (with a complaint if it is something else) if none.
  const nlohmann::json* array(std::string_view key);
  const nlohmann::json* object(std::string_view key);

 private:
  const nlohmann::json* find(std::string_view key);
  std::string at(std::string_view key) const;
  std::optional<double> number(std::string_view key);

  const nlohmann::json& object_;
  const std::string path_;
  Complaint& complaint_;
  std::vector<std::string> asked_;
};

/// "100MiB" as bytes; complains at `where` otherwise.
std::optional<std::uint64_t> read_size(const nlohmann::json& value, const std::string& where,
                                       Complaint& complaint);

}  // namespace kvpsi
