// What the tests of lib/net share: a loop that runs until something has happened, and an owner of a driver that writes
// down what it is told. No sleeps: each test awaits events, and the test runner ends one that awaits in vain.
#pragma once

#include "net/asio_network.hpp"
#include "net/driver.hpp"

#include <martlet/core/output.hpp>
#include <martlet/endpoint.hpp>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::net::test {

struct loop {
    boost::asio::io_context io{1};
    std::shared_ptr<network> net = make_asio_network(io.get_executor());

    /// Runs handlers until `done`.
    template <class Condition>
    void until(Condition done) {
        io.restart();
        while (!done()) {
            if (io.run_one() == 0) FAIL("nothing left to wait for");
        }
    }
    /// Runs what is ready.
    void settle() {
        io.restart();
        io.poll();
    }
};

inline endpoint url(std::string_view text) { return parse_endpoint(text).value(); }

/// A path for a Unix socket that is free, removed at the end.
class socket_path {
public:
    socket_path();
    ~socket_path();
    socket_path(const socket_path&) = delete;
    socket_path& operator=(const socket_path&) = delete;

    [[nodiscard]] std::string path() const { return folder_ + "/s"; }
    [[nodiscard]] endpoint where() const;

private:
    std::string folder_;
};

/// Both ends of a connection over a listener of the loop.
struct link_pair {
    std::unique_ptr<transport> dialed;
    std::unique_ptr<transport> accepted;
};
link_pair connect(loop& on, const endpoint& at);

/// An owner that keeps what it gets.
class end : public driver_owner {
public:
    end(loop& on, std::unique_ptr<transport> link, const driver_options& options = {})
        : out(pool), io(driver::create(on.net, std::move(link), out, *this, options)) {}
    virtual ~end() { io->detach(); }

    bool on_bytes(driver&, std::string_view bytes) override {
        ++reads;
        read_bytes += bytes.size();
        if (keep) received += bytes;
        return on_data ? on_data(bytes) : true;
    }
    void on_turn_end(driver&) override {
        ++turns;
        if (on_turn) on_turn();
    }
    void on_writable_again(driver&) override {
        ++writable_again;
        if (on_writable) on_writable();
    }
    void on_closed(driver&, error_code error) override {
        CHECK(!closed);
        closed = error;
    }

    void send(std::string_view bytes) {
        out.append(bytes);
        io->flush();
    }

    std::function<bool(std::string_view)> on_data;
    std::function<void()> on_turn;
    std::function<void()> on_writable;
    core::buffer_pool pool;
    core::output out;
    std::shared_ptr<driver> io;
    std::string received;
    std::size_t read_bytes = 0;
    int reads = 0;
    int turns = 0;
    int writable_again = 0;
    bool keep = true;
    std::optional<error_code> closed;
};

/// Bytes without a pattern that a mixed-up order would keep.
std::string noise(std::size_t size, unsigned seed = 1);

}  // namespace martlet::net::test
