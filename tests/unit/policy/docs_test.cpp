// SPDX-License-Identifier: MIT
// docs/policies.md names every constant of the law with its default and every reason.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>

#include "model/decision.h"
#include "policy/config.h"

namespace kvpsi {
namespace {

std::string show_bytes(double bytes) {
  if (bytes >= static_cast<double>(kMiB)) {
    return fmt::format("{} MiB", bytes / static_cast<double>(kMiB));
  }
  return fmt::format("{} B", bytes);
}

std::string show(const Field&, bool value) { return value ? "yes" : "no"; }
std::string show(const Field& field, std::uint64_t value) {
  if (field.unit == "bytes") return show_bytes(static_cast<double>(value));
  if (field.unit != "us") return fmt::format("{}", value);
  return value % 1'000'000 == 0 ? fmt::format("{} s", value / 1'000'000)
                                : fmt::format("{} ms", value / 1000);
}
std::string show(const Field& field, double value) {
  return field.unit == "bytes/s" ? show_bytes(value) + "/s" : fmt::format("{}", value);
}

std::string read_page() {
  std::ifstream file(std::string(KVPSI_SOURCE_DIR) + "/docs/policies.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PoliciesPage, GivesEveryConstantWithItsDefault) {
  std::map<std::string, std::string> defaults;
  const PolicyConfig config;
  visit_fields([&](const Field& field,
                   const auto& value) { defaults[std::string(field.name)] = show(field, value); },
               config);
  const std::string page = read_page();
  std::set<std::string> given;
  // A mention reads `name` (value) or `name` (value; more).
  for (std::size_t at = page.find("` ("); at != std::string::npos; at = page.find("` (", at + 1)) {
    const std::size_t begin = page.rfind('`', at - 1) + 1;
    const std::string field = page.substr(begin, at - begin);
    const std::string value = page.substr(at + 3, page.find_first_of(");", at) - at - 3);
    ASSERT_TRUE(defaults.contains(field)) << field << " is not a constant of the law";
    EXPECT_EQ(value, defaults[field]) << field;
    given.insert(field);
  }
  for (const auto& [field, value] : defaults) {
    EXPECT_TRUE(given.contains(field)) << "say `" << field << "` (" << value << ")";
  }
}

TEST(PoliciesPage, ListsEveryReason) {
  const std::string page = read_page();
  for (int i = 0; name(static_cast<Reason>(i)) != "unknown"; ++i) {
    const std::string reason = fmt::format("`{}`", name(static_cast<Reason>(i)));
    EXPECT_NE(page.find(reason), std::string::npos) << reason;
  }
}

}  // namespace
}  // namespace kvpsi
