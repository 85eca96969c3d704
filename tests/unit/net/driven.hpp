// Both ends of a connection with a driver each, and what makes a socket small or break.
#pragma once

#include "unit/net/loop.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <utility>

namespace martlet::net::test {

// Both ends of a connection, driven.
struct driven {
    explicit driven(loop& on, const endpoint& at = url("mqtt://127.0.0.1:0"), const driver_options& options = {})
        : driven(on, connect(on, at), options) {}
    driven(loop& on, link_pair links, const driver_options& options)
        : a(on, std::move(links.dialed), options), b(on, std::move(links.accepted), options) {
        a.io->start();
        b.io->start();
    }
    end a;
    end b;
};

// Not below a few segments of the loopback: then each round would wait for a delayed acknowledgement.
inline void make_small(transport& link, int option, int bytes) {
    REQUIRE(::setsockopt(link.native_handle(), SOL_SOCKET, option, &bytes, sizeof bytes) == 0);
}

// Closes so that the peer gets a reset instead of an end.
inline void reset(transport& link) {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(link.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    link.close();
}

}  // namespace martlet::net::test
