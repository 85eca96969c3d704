// A test's coroutine on a loop of its own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <utility>

namespace martlet::test {

/// Runs `io` until `what` has ended, and throws what it threw. May be called again on the same loop.
inline void run(boost::asio::io_context& io, boost::asio::awaitable<void> what) {
    std::exception_ptr failure;
    boost::asio::co_spawn(io, std::move(what), [&](std::exception_ptr error) {
        failure = error;
        io.stop();
    });
    io.restart();
    io.run();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace martlet::test
