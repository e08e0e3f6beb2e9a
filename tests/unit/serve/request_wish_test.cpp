// SPDX-License-Identifier: MIT
// The member "kvpsi" of a request: what it may say, and what is refused with a sentence.
#include "serve/request_wish.h"

#include <gtest/gtest.h>

namespace kvpsi {
namespace {

TEST(RequestWish, SaysNothingUnlessTheBodyDoes) {
  for (const char* body : {"", "{}", "[1]", "no json", R"({"prompt":"kvpsi"})", R"(["kvpsi"])",
                           R"({"kvpsi":{"trim":fal)", R"({"kvpsi":{}})"}) {
    EXPECT_EQ(read_request_wish(body), RequestWish{}) << body;
  }
}

TEST(RequestWish, ReadsBothMembers) {
  EXPECT_EQ(read_request_wish(R"({"prompt":"a","kvpsi":{"trim":false}})"),
            (RequestWish{.trim = false, .priority = 0}));
  EXPECT_EQ(read_request_wish(R"({"kvpsi":{"priority":-100,"trim":true}})"),
            (RequestWish{.trim = true, .priority = -100}));
  EXPECT_EQ(read_request_wish(R"({"kvpsi":{"priority":100}})")->priority, 100);
  EXPECT_FALSE(read_request_wish(R"({"kvps\u0069":{"trim":false}})")->trim);
  EXPECT_FALSE(read_request_wish(R"({"kvpsi":"{\"trim\":false}"})")->trim) << "a form's field";
}

TEST(RequestWish, RefusesWhatItDoesNotKnow) {
  for (const char* member :
       {"null", "true", "[]", R"("off")", R"({"trim":0})", R"({"trim":null})",
        R"({"trim":"false"})", R"({"priority":1.0})", R"({"priority":101})", R"({"priority":-101})",
        R"({"priority":99999999999999999999})", R"({"priority":"1"})", R"({"Trim":false})",
        R"({"trim":false,"x":1})"}) {
    const auto wish = read_request_wish(std::string(R"({"kvpsi":)") + member + "}");
    ASSERT_FALSE(wish.has_value()) << member;
    EXPECT_TRUE(wish.error().starts_with("\"kvpsi\" ")) << wish.error();
  }
}

TEST(RequestWish, ANestedMemberIsNotOurs) {
  EXPECT_EQ(read_request_wish(R"({"extra":{"kvpsi":{"trim":false}}})"), RequestWish{});
}

}  // namespace
}  // namespace kvpsi
