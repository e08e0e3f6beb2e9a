// SPDX-License-Identifier: MIT
// See request_wish.h. Bodies may be megabytes: one that cannot name the member is not parsed.
#include "serve/request_wish.h"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace kvpsi {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMember = "kvpsi";
constexpr std::string_view kEscape = "\\u00";  ///< its letters may be written so

std::unexpected<std::string> refuse(std::string_view what) {
  return std::unexpected(fmt::format("\"{}\" {}", kMember, what));
}

std::expected<RequestWish, std::string> read(const Json& member) {
  if (member.is_string()) {  // a field of a form
    const Json inner = Json::parse(member.get_ref<const std::string&>(), nullptr, false);
    return inner.is_string() ? refuse("must be an object") : read(inner);
  }
  if (!member.is_object()) return refuse("must be an object");
  RequestWish wish;
  for (const auto& [key, value] : member.items()) {
    if (key == "trim") {
      if (!value.is_boolean()) return refuse("has a \"trim\" that is neither true nor false");
      wish.trim = value.get<bool>();
    } else if (key == "priority") {
      const bool is_whole = value.is_number_integer();
      const double number = is_whole ? value.get<double>() : 0;
      if (!is_whole || std::abs(number) > RequestWish::kMostPriority) {
        return refuse("has a \"priority\" that is no whole number from -100 to 100");
      }
      wish.priority = value.get<int>();
    } else {
      return refuse("knows \"trim\" and \"priority\" only");
    }
  }
  return wish;
}

}  // namespace

std::expected<RequestWish, std::string> read_request_wish(std::string_view body) {
  if (!body.contains(kMember) && !body.contains(kEscape)) return {};
  const Json parsed = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return {};
  const auto member = parsed.find(kMember);
  if (member == parsed.end()) return {};
  return read(*member);
}

}  // namespace kvpsi
