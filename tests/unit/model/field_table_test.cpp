// SPDX-License-Identifier: MIT
// The field table's own rules: names are snake_case, unique within a record, carry their unit last
// and are explained; and no member of a record is left out of it.
#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

#include "model/tick.h"

namespace kvpsi {
namespace {

template <class Record>
void check_record(const char* what) {
  Record record;
  std::set<std::string> names;
  visit_fields(
      [&](const Field& field, auto&) {
        const std::string field_name(field.name);
        EXPECT_TRUE(names.insert(field_name).second) << what << "." << field_name;
        EXPECT_FALSE(field.help.empty()) << what << "." << field_name;
        for (const char c : field_name) {
          EXPECT_TRUE(std::islower(c) || std::isdigit(c) || c == '_') << what << "." << field_name;
        }
        const auto ends_with = [&](const char* unit) { return field_name.ends_with(unit); };
        if (ends_with("_us") || ends_with("_us_total")) {
          EXPECT_EQ(field.unit, "us") << what << "." << field_name;
        }
        if (ends_with("_bytes") || field_name == "bytes") {
          EXPECT_EQ(field.unit, "bytes") << what << "." << field_name;
        }
        if (ends_with("_per_s")) {
          EXPECT_TRUE(field.unit.ends_with("/s")) << what << "." << field_name;
        }
      },
      record);
}

TEST(FieldTable, HoldsItsRules) {
  check_record<Sample>("sample");
  check_record<PoolView>("pool");
  check_record<Signal>("signal");
  check_record<Action>("action");
  check_record<Outcome>("outcome");
  check_record<Decision>("decision");
}

struct Bump {
  void operator()(const Field&, bool& v) const { v = !v; }
  void operator()(const Field&, std::uint64_t& v) const { ++v; }
  void operator()(const Field&, std::int64_t& v) const { v = 7; }
  void operator()(const Field&, double& v) const { v = 0.5; }
  template <class T>
  void operator()(const Field&, std::optional<T>& v) const {
    v.emplace();
  }
  template <class T>
    requires std::is_enum_v<T>
  void operator()(const Field&, T& v) const {
    v = static_cast<T>(static_cast<int>(v) == 1 ? 2 : 1);
  }
};

/// A member outside the table would keep two records equal whose fields are all the same; sizes
/// tell: the fields must add up to the record but for padding.
template <class Record>
void check_size(const char* what) {
  Record record;
  std::size_t bytes = 0;
  visit_fields([&](const Field&, const auto& value) { bytes += sizeof value; }, record);
  EXPECT_LE(sizeof(Record) - bytes, 40u) << what;
  Record other;
  visit_fields(Bump{}, other);
  EXPECT_FALSE(record == other) << what;
}

TEST(FieldTable, CoversTheRecords) {
  check_size<Sample>("sample");
  check_size<PoolView>("pool");
  check_size<Signal>("signal");
  check_size<Action>("action");
  check_size<Outcome>("outcome");
}

template <class T>
void check_names(int count) {
  std::set<std::string_view> names;
  for (int i = 0; i < count; ++i) names.insert(name(static_cast<T>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(count));
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(name(static_cast<T>(count)), "unknown") << "the journal's reader relies on it";
}

TEST(Names, AreDistinctAndEndWithUnknown) {
  check_names<Level>(4);
  check_names<Reason>(18);
  check_names<Verb>(5);
  check_names<Status>(5);
  check_names<PoolKind>(4);
  check_names<Origin>(5);
}

}  // namespace
}  // namespace kvpsi
