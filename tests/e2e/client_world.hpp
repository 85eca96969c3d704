// A broker and clients on one loop, over TCP of the loopback.
#pragma once

#include <martlet/broker.hpp>
#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace martlet::test {

class client_world {
public:
    asio::io_context io{1};
    martlet::broker broker{io.get_executor()};

    client_world() : url_("mqtt://127.0.0.1:" + std::to_string(broker.listen("mqtt://127.0.0.1:0").value().port)) {}

    [[nodiscard]] client_options options(std::string client_id) const {
        client_options o;
        o.urls = {url_};
        o.client_id = std::move(client_id);
        return o;
    }
    [[nodiscard]] const std::string& url() const noexcept { return url_; }

    /// Runs a test's coroutine to its end; one that hangs fails.
    void run(asio::awaitable<void> what) {
        std::exception_ptr failure;
        bool has_ended = false;
        asio::co_spawn(io, std::move(what), [&](std::exception_ptr error) {
            failure = error;
            has_ended = true;
            io.stop();
        });
        io.run_for(std::chrono::seconds(30));
        CHECK(has_ended);
        if (failure) std::rethrow_exception(failure);
    }

private:
    std::string url_;
};

}  // namespace martlet::test
