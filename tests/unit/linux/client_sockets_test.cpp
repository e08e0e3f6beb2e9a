// SPDX-License-Identifier: MIT
// Clients of a listening socket of this process are hung up on, and nobody else.
#include "linux/client_sockets.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "linux/fd.h"

namespace kvpsi {
namespace {

struct Pair {
  UniqueFd listener{::socket(AF_INET, SOCK_STREAM, 0)};
  UniqueFd client{::socket(AF_INET, SOCK_STREAM, 0)};
  UniqueFd accepted;

  Pair() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener.get(), generic, size) != 0) return;
    if (::listen(listener.get(), 1) != 0) return;
    if (::getsockname(listener.get(), generic, &size) != 0) return;
    if (::connect(client.get(), generic, size) != 0) return;
    accepted = UniqueFd(::accept(listener.get(), nullptr, nullptr));
  }
};

TEST(HangUpOnClients, EndsReadingAtTheAcceptedEndAlone) {
  const Pair server;
  ASSERT_TRUE(server.accepted.is_open());
  EXPECT_EQ(hang_up_on_clients(), 1u);
  char byte = 0;
  EXPECT_EQ(::recv(server.accepted.get(), &byte, 1, MSG_PEEK), 0) << "the client seems gone";
  EXPECT_EQ(::send(server.accepted.get(), "x", 1, 0), 1);
  EXPECT_EQ(::recv(server.client.get(), &byte, 1, 0), 1) << "what is written still arrives";
  EXPECT_EQ(byte, 'x');
  EXPECT_LT(::recv(server.client.get(), &byte, 1, MSG_DONTWAIT), 0) << "the client's end is open";
}

TEST(HangUpOnClients, FindsNobodyWithoutAListener) {
  Pair server;
  ASSERT_TRUE(server.accepted.is_open());
  server.listener = UniqueFd();
  EXPECT_EQ(hang_up_on_clients(), 0u);
}

}  // namespace
}  // namespace kvpsi
