// SPDX-License-Identifier: MIT
// The text against the grammar of OpenMetrics 1.0.0: order of lines, escapes, numbers, end mark.
#include "report/openmetrics.h"

#include <gtest/gtest.h>

#include <limits>

namespace kvpsi {
namespace {

TEST(OpenMetrics, AFamilyIsTypeUnitHelpSamples) {
  OpenMetrics out;
  out.gauge("kvpsi_need_bytes", "bytes", "what is missing");
  out.sample(std::uint64_t{42});
  EXPECT_EQ(out.finish(),
            "# TYPE kvpsi_need_bytes gauge\n# UNIT kvpsi_need_bytes bytes\n"
            "# HELP kvpsi_need_bytes what is missing\nkvpsi_need_bytes 42\n# EOF\n");
}

TEST(OpenMetrics, CountersAndInfosHaveTheirSuffixOnSamplesOnly) {
  OpenMetrics out;
  out.counter("kvpsi_refused", "", "h");
  out.sample(std::uint64_t{7}, {{"reason", "high"}, {"kind", "x"}});
  out.info("kvpsi_build", "h");
  out.sample(std::uint64_t{1}, {{"version", "1"}});
  EXPECT_EQ(out.finish(),
            "# TYPE kvpsi_refused counter\n# HELP kvpsi_refused h\n"
            "kvpsi_refused_total{reason=\"high\",kind=\"x\"} 7\n"
            "# TYPE kvpsi_build info\n# HELP kvpsi_build h\n"
            "kvpsi_build_info{version=\"1\"} 1\n# EOF\n");
}

TEST(OpenMetrics, LabelsAreEscaped) {
  OpenMetrics out;
  out.gauge("g", "", "a \\ and\na line");
  out.sample(std::uint64_t{1}, {{"l", "q\"b\\n\n"}});
  EXPECT_EQ(out.finish(),
            "# TYPE g gauge\n# HELP g a \\\\ and\\na line\ng{l=\"q\\\"b\\\\n\\n\"} 1\n# EOF\n");
}

TEST(OpenMetrics, NumbersAreExact) {
  OpenMetrics out;
  out.gauge("g", "", "h");
  out.sample(std::numeric_limits<std::uint64_t>::max());
  out.sample(0.1);
  out.sample(-1.5);
  out.sample(std::numeric_limits<double>::infinity());
  out.sample(-std::numeric_limits<double>::infinity());
  out.sample(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(out.finish(),
            "# TYPE g gauge\n# HELP g h\ng 18446744073709551615\ng 0.1\ng -1.5\ng +Inf\ng -Inf\n"
            "g NaN\n# EOF\n");
  EXPECT_EQ(out.finish(), "# EOF\n") << "empty afterwards";
}

}  // namespace
}  // namespace kvpsi
